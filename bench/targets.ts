/** Starts what is measured: the backend itself, the forwarder in front of one, the gateway in front of some. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './children.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const STDIO_BACKEND = file('./backends/stdio.mjs');
const HTTP_BACKEND = file('./backends/http.mjs');
const FORWARDER = file('./forwarder.mjs');
const GATEWAY = file('../dist/main.js');
const READY_MS = 30_000;

/** A running endpoint and the process whose CPU and memory count as its own. */
export interface Target {
  readonly name: string;
  readonly url: string;
  readonly child: Child;
  stop(): Promise<void>;
}

/** The backends of a gateway or forwarder: stdio servers of its own, or one that already listens. */
export type Behind = { readonly stdio: number; readonly tools?: number } | { readonly url: string };

/** How to start a target. */
export interface TargetOptions {
  readonly behind: Behind;
  /** Carries the memory probe. */
  readonly probe?: boolean;
  /** Resolve as soon as the process is spawned; the caller measures when it answers. */
  readonly early?: boolean;
}

/** True once the gateway was built. */
export const gatewayIsBuilt = () => existsSync(GATEWAY);

/** The HTTP backend, listening. */
export async function startHttpBackend(): Promise<Target> {
  const child = startChild({ name: 'http backend', args: [HTTP_BACKEND] });
  return target('direct', child, await child.line());
}

/** The hand-written forwarder in front of one backend. */
export async function startForwarder({ behind, probe, early }: TargetOptions): Promise<Target> {
  const port = await freePort();
  const out = 'url' in behind ? ['http', behind.url] : ['stdio', process.execPath, STDIO_BACKEND];
  const env = { PORT: String(port), TOOLS: String('url' in behind ? 1 : (behind.tools ?? 1)) };
  const child = startChild({ name: 'forwarder', args: [FORWARDER, ...out], env, probe: probe ?? false });
  if (!early) await child.line();
  return target('forwarder', child, `http://127.0.0.1:${port}/mcp`);
}

/** The built gateway in front of its backends, all connected unless `early`. */
export async function startGateway({ behind, probe, early }: TargetOptions): Promise<Target> {
  if (!gatewayIsBuilt()) throw new Error('dist/main.js does not exist: npm run build');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-bench-'));
  const config = join(folder, 'mcp.json');
  writeFileSync(config, JSON.stringify(gatewayConfig(behind)));
  const args = [GATEWAY, 'run', config, '--port', String(port), '--host', '127.0.0.1', '--log-level', 'error'];
  const child = startChild({ name: 'onemcp', args, probe: probe ?? false });
  const forget = () => rmSync(folder, { recursive: true, force: true });
  const gateway = target('onemcp', child, `http://127.0.0.1:${port}/mcp`, forget);
  try {
    if (!early) await allConnected(gateway, 'url' in behind ? 1 : behind.stdio);
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  return gateway;
}

/** One backend is passed through under its own names, so that the tool is `echo` for every target. */
function gatewayConfig(behind: Behind): unknown {
  if ('url' in behind) return { gateway: { naming: { prefix: 'never' } }, mcpServers: { b: { type: 'http', url: behind.url } } };
  const entry = { command: process.execPath, args: [STDIO_BACKEND], env: { TOOLS: String(behind.tools ?? 1) } };
  const servers = Array.from({ length: behind.stdio }, (_, index) => [`b${index}`, entry] as const);
  return { ...(behind.stdio === 1 && { gateway: { naming: { prefix: 'never' } } }), mcpServers: Object.fromEntries(servers) };
}

async function allConnected({ url, child }: Target, count: number): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    if (child.exited()) throw new Error(`onemcp ended: ${child.stderr() || 'no message'}`);
    const health = await fetch(new URL('/health', url))
      .then((response) => response.json() as Promise<{ servers?: { details?: { status?: string }[] } }>)
      .catch(() => undefined);
    const up = health?.servers?.details?.filter(({ status }) => status === 'connected').length ?? 0;
    if (up === count) return;
    if (Date.now() > deadline) throw new Error(`onemcp connected ${up} of ${count} backends in ${READY_MS} ms: ${child.stderr()}`);
    await sleep(50);
  }
}

function target(name: string, child: Child, url: string, after = () => {}): Target {
  return {
    name,
    url,
    child,
    async stop() {
      await child.stop();
      after();
    },
  };
}

/** A port nobody listens on; someone else could take it before we do, which then shows as a failed start. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
