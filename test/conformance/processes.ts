/** Starts and stops the programs of a leg: the fixture over HTTP, and the built gateway in front of something. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const FIXTURE = join(import.meta.dirname, 'fixture/server.mjs');
export const MAIN = resolve(process.env.ONEMCP_MAIN ?? join(import.meta.dirname, '../../dist/main.js'));
/** Milliseconds until a program has to be ready, and until it has to be gone. */
const READY = 60_000;
const GONE = 30_000;

type Json = Readonly<Record<string, unknown>>;

export interface Service {
  /** The MCP endpoint. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A server entry of `mcp.json` that runs the fixture over stdio. */
export const STDIO_FIXTURE: Json = { command: [process.execPath, FIXTURE, '--stdio'] };

/** The configuration of a gateway that keeps the names of its only server. */
export const transparent = (server: Json, gateway: Json = {}): string =>
  JSON.stringify({ mcpServers: { fixture: server }, gateway: { naming: { prefix: 'never' }, ...gateway } });

export async function startFixture(): Promise<Service> {
  const child = spawn(process.execPath, [FIXTURE], { stdio: ['pipe', 'pipe', 'inherit'] });
  const url = await withinTime(
    child,
    'the fixture',
    firstLine(child.stdout, (line) => line),
  );
  return { url, stop: () => ended(child) };
}

/** Resolves when the gateway is connected to its server. */
export async function startGateway(config: string): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  writeFileSync(join(folder, 'mcp.json'), config);
  const child = spawn(process.execPath, [MAIN, 'run', 'mcp.json', '--port', '0', '--log-format', 'json'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const listening = firstLine(child.stderr, (line) => /serves (\S+)\/mcp/.exec(line)?.[1]);
    const base = await withinTime(child, 'onemcp', listening);
    await withinTime(child, 'onemcp', connected(base));
    return { url: `${base}/mcp`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first thing found in the lines of a stream. The stream is read on to its end; without a find all it said is the error. */
function firstLine(stream: NodeJS.ReadableStream, find: (line: string) => string | undefined): Promise<string> {
  return new Promise((found, failed) => {
    const said: string[] = [];
    createInterface({ input: stream })
      .on('line', (line) => {
        const value = find(line);
        if (value !== undefined) found(value);
        said.push(line);
      })
      .on('close', () => failed(new Error(`ended before it was ready: ${said.slice(-30).join('\n')}`)));
  });
}

/** Polls the health of a gateway until every server is connected. */
async function connected(base: string): Promise<void> {
  for (;;) {
    const { status } = (await (await fetch(`${base}/health`)).json()) as { status: string };
    if (status === 'healthy') return;
    await sleep(20);
  }
}

async function withinTime<T>(child: ChildProcess, what: string, ready: Promise<T>): Promise<T> {
  const cancel = new AbortController();
  const late = sleep(READY, undefined, { signal: cancel.signal }).then(() => {
    throw new Error(`${what} was not ready within ${READY} ms`);
  });
  try {
    return await Promise.race([ready, late]);
  } catch (error) {
    await ended(child);
    throw error;
  } finally {
    cancel.abort();
    late.catch(() => {});
  }
}

/** Ends a program politely, and by force when that takes too long. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  const force = setTimeout(() => child.kill('SIGKILL'), GONE);
  child.stdin?.end();
  child.kill('SIGTERM');
  await gone;
  clearTimeout(force);
}
