import { resolve } from 'node:path';
import { type ErrorCode, OnemcpError, WireError } from '../../errors.ts';
import { type McpClient, type McpPlace, openMcp } from '../../io/mcpClient.ts';
import type { StatusDocument } from '../../observe/status.ts';
import type { Json } from '../../world.ts';
import { ask, type ControlFlags, explainFailure, say, socketsOf, withAdvice } from '../control.ts';
import { EXIT, type ProcessPorts } from '../process.ts';
import { VERSION } from '../version.ts';

export interface ClientFlags extends ControlFlags {
  /** Address of an MCP endpoint, instead of the gateway of a file. */
  readonly url?: string | undefined;
  /** Headers for it, as `Name: value`. */
  readonly header?: readonly string[] | undefined;
  /** Milliseconds for the whole command. */
  readonly timeout?: number | undefined;
}

/** Which endpoint is visited, and by whom. */
export interface Visiting<Flags extends ClientFlags = ClientFlags> {
  /** The configuration file of the gateway, as the user wrote it. */
  readonly file: string;
  readonly flags: Flags;
  readonly ports: ProcessPorts;
}

/** A session with the endpoint, while a command runs. */
export interface Visit {
  /** @throws as `McpClient.request` */
  request(method: string, params: Json, onProgress?: (params: Json) => void): Promise<Json>;
  /** What the gateway says of its servers; undefined for an endpoint at a URL. */
  readonly status: () => Promise<StatusDocument | undefined>;
}

/**
 * Runs a command as a client of the gateway, in a session that it opens when it needs one: what goes wrong is one sentence
 * and an exit code, a signal cancels what runs, a second one leaves at once.
 */
export async function visit(visiting: Visiting, command: (open: () => Promise<Visit>) => Promise<number>): Promise<number> {
  const { flags, ports, file } = visiting;
  const aborter = new AbortController();
  const { signal } = aborter;
  const timer = flags.timeout && setTimeout(() => aborter.abort(tooSlow(flags.timeout as number)), flags.timeout);
  const off = ports.onSignal(() => {
    if (signal.aborted) ports.exit(EXIT.interrupted);
    aborter.abort(new OnemcpError('cancelled', 'interrupted'));
  });
  // Whoever reads may have read enough.
  ports.stdout.on('error', () => {});
  let client: McpClient | undefined;
  const open = async (): Promise<Visit> => {
    const place = await placeOf(visiting);
    const path = resolve(ports.cwd, file);
    client = await openMcp({ place, version: VERSION, signal }).catch((error: unknown) => {
      throw withAdvice(named(error, place), path);
    });
    const { request } = client;
    const status = async () =>
      'url' in place ? undefined : ask<StatusDocument>(place.sockets, { method: 'GET', path: '/status', signal }, path);
    return { status, request: (method, params, onProgress) => request(method, params, { signal, onProgress }) };
  };
  try {
    return await command(open);
  } catch (error) {
    return failed(signal.aborted ? signal.reason : error, ports);
  } finally {
    clearTimeout(timer || undefined);
    await client?.close();
    off();
  }
}

/** What a command refuses to do; its exit code is that of a wrong command line. */
export class UsageError extends Error {}

function failed(error: unknown, ports: ProcessPorts): number {
  if (error instanceof UsageError) {
    say(ports.stderr, `onemcp: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof WireError) {
    say(ports.stderr, `onemcp: ${error.message} (error ${error.error.code})`);
    return EXIT.failed;
  }
  const code = explainFailure(error, ports);
  return isCode(error, 'cancelled') ? EXIT.interrupted : code;
}

const isCode = (error: unknown, code: ErrorCode): boolean => error instanceof OnemcpError && error.code === code;

const tooSlow = (ms: number) =>
  new OnemcpError('timeout', `it took longer than ${ms / 1000} s and was cancelled; --timeout gives it more time`);

/** Errors of an endpoint say which one. */
function named(error: unknown, place: McpPlace): unknown {
  if (!('url' in place) || !(error instanceof OnemcpError) || error.code === 'cancelled' || error.code === 'connection_failed')
    return error;
  return new OnemcpError(error.code, `${place.url.origin}${place.url.pathname}: ${error.message}`, error.data);
}

async function placeOf({ file, flags, ports }: Visiting): Promise<McpPlace> {
  const { url, header = [] } = flags;
  if (url === undefined) return { sockets: await socketsOf({ file, flags, ports }) };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new UsageError(`--url has to be an address such as http://127.0.0.1:3050/mcp, not ${JSON.stringify(url.slice(0, 80))}`);
  if (parsed.pathname === '/') parsed.pathname = '/mcp';
  return { url: parsed, headers: Object.fromEntries(header.map(headerOf)) };
}

function headerOf(text: string): readonly [name: string, value: string] {
  const colon = text.indexOf(':');
  const name = text.slice(0, colon).trim();
  if (colon < 1 || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n]/.test(text))
    throw new UsageError('--header has to be "Name: value", for example "Authorization: Bearer …"');
  return [name.toLowerCase(), text.slice(colon + 1).trim()];
}
