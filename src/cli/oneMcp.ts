/** The command line of 1MCP: there is no word for `run`, and a few options have other names. */
import type { RunFlags } from './run.ts';

/** Options of `run` that are known from 1MCP. */
export interface OneMcpFlags {
  readonly config?: string | undefined;
  readonly transport?: 'stdio' | 'http' | 'sse' | undefined;
  /** True without a value; a value that is no switch is the file after it. */
  readonly enableAsyncLoading?: boolean | string | undefined;
}

const ROOT_OPTIONS = ['-h', '--help', '-V', '--version'];
const OFF = ['false', '0'];
const ON = ['true', '1'];

/** The arguments with the word `run` where they begin with one of its options. */
export function withCommand(args: readonly string[]): string[] {
  const [first] = args;
  return first?.startsWith('-') && !ROOT_OPTIONS.includes(first) ? ['run', ...args] : [...args];
}

export interface OurRun {
  /** Every file that was named, first that of `--config`. */
  readonly files: readonly string[];
  readonly flags: RunFlags;
}

/** The same as options of ours, with notes on what differs. */
export function asOurRun(named: readonly string[], { config, transport, enableAsyncLoading, ...flags }: RunFlags & OneMcpFlags): OurRun {
  const value = typeof enableAsyncLoading === 'string' ? enableAsyncLoading.toLowerCase() : undefined;
  const isFile = value !== undefined && !OFF.includes(value) && !ON.includes(value);
  const files = [...(config === undefined ? [] : [config]), ...(isFile ? [enableAsyncLoading as string] : []), ...named];
  const notes = [
    ...(value !== undefined && OFF.includes(value)
      ? ['--enable-async-loading: servers start in the background here; this is always on']
      : []),
    ...(transport === 'sse' ? ['--transport sse: /sse is served beside /mcp, unless gateway.features.legacySse is false'] : []),
  ];
  // There no port is opened beside stdio, whatever is said of it.
  const stdio = transport === 'stdio' ? { stdio: true, port: undefined } : {};
  return { files, flags: { ...flags, ...stdio, notes } };
}
