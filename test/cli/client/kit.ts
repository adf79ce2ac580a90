/** A gateway with fixture servers in this process, and a terminal beside it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { ProcessPorts } from '../../../src/cli/process.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createGateway } from '../../../src/gateway.ts';
import { controlPaths } from '../../../src/io/controlSocket.ts';
import type { Json } from '../../../src/world.ts';
import { until } from '../../e2e/gateway.ts';

export interface TerminalOptions {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process in a folder of its own, and what it printed. */
export function terminal({ isTTY = false, columns = 80, cwd = newFolder(), stdin, env = {} }: TerminalOptions = {}) {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  const signals = new Set<(signal: string) => void>();
  const stream = (chunks: Buffer[]) => {
    const passed = new PassThrough().on('data', (chunk: Buffer) => chunks.push(chunk));
    return Object.assign(passed, { isTTY, columns });
  };
  const ports: ProcessPorts = {
    env: { ONEMCP_STATE_DIR: join(cwd, 'state'), ...env },
    cwd,
    platform: process.platform,
    uid: process.getuid?.(),
    tmpdir: cwd,
    stdin: new PassThrough().end(stdin),
    stdout: stream(out),
    stderr: stream(err),
    onSignal(listener) {
      signals.add(listener);
      return () => void signals.delete(listener);
    },
    onHangup: () => () => undefined,
    exit: (code) => {
      throw new Error(`left at once with ${code}`);
    },
  };
  return {
    ports,
    cwd,
    visiting: <F extends object>(flags = {} as F) => ({ file: 'mcp.json', flags, ports }),
    interrupt: () => {
      for (const listener of signals) listener('SIGINT');
    },
    get out() {
      return Buffer.concat(out).toString();
    },
    get err() {
      return Buffer.concat(err).toString();
    },
  };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-c-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A gateway over these servers, all of them connected unless told otherwise, and a terminal in its folder. */
export async function serve(mcpServers: Json, { gateway: options = {}, waits = true }: { gateway?: Json; waits?: boolean } = {}) {
  const term = terminal();
  const { cwd, ports } = term;
  const text = JSON.stringify({ mcpServers, gateway: { port: 0, ...options } });
  writeFileSync(join(cwd, 'mcp.json'), text);
  const loaded = await loadConfig({ file: 'mcp.json', text, env: ports.env, secrets: { read: async () => '' }, base: cwd });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
  const { config } = loaded;
  const gateway = createGateway({ config, env: { PATH: process.env.PATH } });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= gateway.close();
    return closed;
  };
  onTestFinished(close);
  await gateway.openControl(controlPaths({ ...ports, file: config.file, stateDir: config.stateDir }));
  const { url } = await gateway.listen();
  if (waits) await until('all are connected', () => [...gateway.world().backends.values()].every(({ state }) => state === 'connected'));
  return { gateway, url, close, terminal: (more: TerminalOptions = {}) => terminal({ cwd, ...more }) };
}
