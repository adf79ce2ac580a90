/** The built program in surroundings of its own: limits, streams, environment, a configuration that may be wrong. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Json } from '../../../src/world.ts';
import { connect, type HealthBody, MAIN, type TestClient, until } from '../../e2e/gateway.ts';
import { type Load, startLoad } from '../harness/load.ts';
import { replyTo } from '../harness/reply.ts';

export interface Surroundings {
  readonly servers: Json;
  readonly gateway?: Json;
  readonly args?: readonly string[];
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command of the shell before the program, such as `ulimit -n 64`. */
  readonly limit?: string;
  readonly folder?: string;
}

export interface Surrounded {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  /** The configuration file. */
  readonly file: string;
  /** What it wrote to stderr, unless nobody reads that. */
  readonly log: () => string;
  readonly exited: Promise<number | string | null>;
  readonly isRunning: () => boolean;
  readonly health: () => Promise<HealthBody>;
  readonly stateOf: (name: string) => Promise<(Json & { status: string; pid?: number }) | undefined>;
  readonly write: (servers: Json, gateway?: Json) => void;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts it, without waiting for anything. It is ended with the test. `silent`: nobody reads its stderr. */
export async function start(options: Surroundings, { silent = false } = {}): Promise<Surrounded> {
  const { servers, gateway = {}, args = [], nodeArgs = [], env = {}, limit = ':' } = options;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'onemcp-surroundings-'));
  const file = join(folder, 'mcp.json');
  const write = (mcpServers: Json, changed: Json = gateway) =>
    writeFileSync(file, JSON.stringify({ mcpServers, gateway: changed }, null, 2));
  write(servers);
  const port = await freePort();
  const command = [process.execPath, ...nodeArgs, MAIN, 'run', 'mcp.json', '--port', String(port), '--log-format', 'json', ...args];
  const child = spawn('/bin/sh', ['-c', `${limit} && exec "$@"`, 'sh', ...command], {
    cwd: folder,
    env: { ...process.env, ONEMCP_STATE_DIR: join(folder, 'state'), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  if (!silent) child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exited = new Promise<number | string | null>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  onTestFinished(async () => {
    if (isRunning()) child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const health = async () => (await (await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) })).json()) as HealthBody;
  return {
    child,
    pid: child.pid as number,
    port,
    url,
    folder,
    file,
    log: () => log,
    exited,
    isRunning,
    health,
    stateOf: async (name) => (await health()).servers.details.find((entry) => entry.name === name),
    write,
  };
}

/** Waits until it answers and these servers are connected. */
export const untilConnected = (running: Surrounded, names: readonly string[], ms = 15_000): Promise<unknown> =>
  until(
    `${names} are connected`,
    async () => {
      if (!running.isRunning()) throw new Error(`it ended: ${running.log()}`);
      const states = await Promise.all(names.map((name) => running.stateOf(name).catch(() => undefined)));
      return states.every((entry) => entry?.status === 'connected');
    },
    ms,
  );

/** Checked calls to `good`, 20 a second, unless said otherwise. */
export async function loadOn(running: Surrounded, rate = 20, tool = 'good__echo'): Promise<Load & { readonly client: TestClient }> {
  const client = await connect(running.url);
  return { ...startLoad(async (text) => (await replyTo(client, tool, { text })).text, rate), client };
}
