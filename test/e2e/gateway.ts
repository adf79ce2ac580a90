/** Starts the built program as a user would, and talks to it over raw HTTP, so that every byte is under control. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import type { Json, JsonRpcMessage } from '../../src/world.ts';
import { messagesOf } from '../support/eventStream.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const MAIN = process.env.ONEMCP_MAIN ?? join(ROOT, 'dist/main.js');

/** A backend entry for a fixture program. */
export const fixture = (name: string, env: Record<string, string> = {}, more: Json = {}): Json => ({
  command: [process.execPath, join(ROOT, 'test/fixtures/backends', `${name}.mjs`)],
  ...(Object.keys(env).length > 0 && { env }),
  ...more,
});

export interface LogLine {
  readonly ts: string;
  readonly level: string;
  readonly event: string;
  readonly [key: string]: unknown;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly logs: LogLine[];
  readonly folder: string;
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
  health(): Promise<{ status: number; body: HealthBody }>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface HealthBody {
  readonly status: string;
  readonly servers: { readonly details: readonly (Json & { name: string; status: string; pid?: number; lastError?: string })[] } & Json;
  readonly [key: string]: unknown;
}

/**
 * Starts `onemcp run` on a free port and waits until it listens. It is stopped when the test is over.
 * @param home a folder that outlives it, for a test that starts it again; default: one of its own
 */
export async function startGateway(mcpServers: Json, gateway: Json = {}, args: readonly string[] = [], home?: string): Promise<Running> {
  const folder = home ?? mkdtempSync(join(tmpdir(), 'onemcp-'));
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers, gateway }, null, 2));
  const child = spawn(process.execPath, [MAIN, 'run', 'mcp.json', '--port', '0', '--log-format', 'json', '--log-level', 'debug', ...args], {
    cwd: folder,
    env: { ...process.env, ONEMCP_STATE_DIR: join(folder, 'state') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const logs: LogLine[] = [];
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  const url = await new Promise<string>((found, failed) => {
    const rest: string[] = [];
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (!line.startsWith('{')) return void rest.push(line);
      const entry = JSON.parse(line) as LogLine;
      logs.push(entry);
      const match = entry.event === 'gateway.listening' && /(?:serves (\S+)\/mcp|, listening on (\S+))$/.exec(String(entry.message));
      if (match) found((match[1] ?? match[2]) as string);
    });
    child.once('exit', (code) => failed(new Error(`onemcp exited with ${code}: ${rest.join('\n')}`)));
  });
  const running: Running = {
    child,
    pid: child.pid as number,
    url,
    logs,
    folder,
    exited,
    async health() {
      const answer = await fetch(`${url}/health`);
      return { status: answer.status, body: (await answer.json()) as HealthBody };
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
  };
  onTestFinished(async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return running;
}

/** Polls until `probe` gives something; fails after `ms`. */
export async function until<T>(what: string, probe: () => Promise<T | undefined | false> | T | undefined | false, ms = 15_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a server has a state in `/health`, and gives its entry. */
export const untilState = (running: Running, name: string, status: string, ms?: number) =>
  until(
    `${name} is ${status}`,
    async () => (await running.health()).body.servers.details.find((entry) => entry.name === name && entry.status === status),
    ms,
  );

export interface Answer {
  readonly status: number;
  readonly message: JsonRpcMessage & { result: Json };
  /** What came before the answer on the same stream. */
  readonly before: readonly JsonRpcMessage[];
  /** Milliseconds. */
  readonly took: number;
}

export interface TestClient {
  readonly session: string;
  readonly initialized: Json;
  request(method: string, params?: Json, options?: { id?: string | number; signal?: AbortSignal; accept?: string }): Promise<Answer>;
  call(name: string, args?: Json, meta?: Json): Promise<Answer>;
  notify(method: string, params?: Json): Promise<number>;
  /** Opens the GET stream; what arrives is appended to the array. */
  listen(): Promise<JsonRpcMessage[]>;
  close(): Promise<number>;
}

/** A client that sends exactly what it is told. */
export async function connect(url: string, version = '2025-11-25'): Promise<TestClient> {
  const endpoint = `${url}/mcp`;
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  let nextId = 1;
  const opening = await fetch(endpoint, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: version, capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    }),
  });
  const session = opening.headers.get('mcp-session-id') as string;
  const initialized = ((await opening.json()) as { result: Json }).result;
  const own = { ...headers, 'mcp-session-id': session, 'mcp-protocol-version': version };
  const aborter = new AbortController();
  onTestFinished(() => aborter.abort());

  const client: TestClient = {
    session,
    initialized,
    async request(method, params, { id = nextId++, signal, accept } = {}) {
      const began = performance.now();
      const answer = await fetch(endpoint, {
        method: 'POST',
        headers: { ...own, ...(accept && { accept }) },
        body: JSON.stringify({ jsonrpc: '2.0', id, method, ...(params && { params }) }),
        ...(signal && { signal }),
      });
      const messages: JsonRpcMessage[] = [];
      if (answer.headers.get('content-type')?.startsWith('text/event-stream')) {
        for await (const message of messagesOf(answer)) messages.push(message);
      } else if (answer.status !== 204) messages.push((await answer.json()) as JsonRpcMessage);
      const took = performance.now() - began;
      const last = messages.at(-1);
      const message = (last?.method === undefined ? last : undefined) as Answer['message'];
      return { status: answer.status, message, before: messages.filter(({ method: name }) => name !== undefined), took };
    },
    call: (name, args = {}, meta) => client.request('tools/call', { name, arguments: args, ...(meta && { _meta: meta }) }),
    async notify(method, params) {
      const body = JSON.stringify({ jsonrpc: '2.0', method, ...(params && { params }) });
      return (await fetch(endpoint, { method: 'POST', headers: own, body })).status;
    },
    async listen() {
      const answer = await fetch(endpoint, { headers: { ...own, accept: 'text/event-stream' }, signal: aborter.signal });
      const messages: JsonRpcMessage[] = [];
      void (async () => {
        for await (const message of messagesOf(answer)) messages.push(message);
      })().catch(() => {});
      return messages;
    },
    close: async () => (await fetch(endpoint, { method: 'DELETE', headers: own })).status,
  };
  await client.notify('notifications/initialized');
  return client;
}

/** Text of the first content block of a tool result. */
export const textOf = ({ message }: Answer): string => String((message.result.content as { text?: string }[])[0]?.text);

/** Whether a process exists and is more than a zombie that nobody has collected yet. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

/** Pids whose environment holds a text: finds children and grandchildren whatever they are called. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}
