/** Starts what is measured: the backend itself, the forwarder in front of one, the gateway in front of some. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './children.ts';

const STDIO_BACKEND = fileURLToPath(new URL('./backends/stdio.mjs', import.meta.url));
const HTTP_BACKEND = fileURLToPath(new URL('./backends/http.mjs', import.meta.url));
const COLLECTOR = fileURLToPath(new URL('./backends/collector.mjs', import.meta.url));
const FORWARDER = fileURLToPath(new URL('./forwarder.mjs', import.meta.url));
const GATEWAY = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const READY_MS = 30_000;

/** A running endpoint and the process whose CPU and memory count as its own. */
export interface Target {
  readonly name: string;
  readonly url: string;
  readonly child: Child;
  stop(): Promise<void>;
}

/** The backends of a gateway or forwarder: stdio servers of its own, or one that already listens. */
type Behind = { readonly stdio: number; readonly tools?: number; readonly delay?: number } | { readonly url: string };

/** How to start a target. */
export interface TargetOptions {
  readonly behind: Behind;
  /** Carries the memory probe. */
  readonly probe?: boolean;
  /** Resolve as soon as the process is spawned; the caller measures when it answers. */
  readonly early?: boolean;
  /** Folder of what is remembered from one gateway with the same backends to the next; none by default. */
  readonly home?: string;
  /** Options of the gateway. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** What the gateway logs, as JSON to a pipe that is read; default: errors, which a benchmark has none of. */
  readonly log?: 'error' | 'info' | 'debug';
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
export async function startGateway({ behind, probe, early, home, options, log = 'error' }: TargetOptions): Promise<Target> {
  if (!gatewayIsBuilt()) throw new Error('dist/main.js does not exist: npm run build');
  const port = await freePort();
  const config = join(home ?? configFolder(), home ? 'mcp.json' : `mcp-${port}.json`);
  writeFileSync(config, JSON.stringify(gatewayConfig(behind, { stateDir: home ? join(home, 'state') : false, ...options })));
  const args = [GATEWAY, 'run', config, '--port', String(port), '--host', '127.0.0.1', '--log-level', log, '--log-format', 'json'];
  const child = startChild({ name: 'onemcp', args, probe: probe ?? false });
  const gateway = target('onemcp', child, `http://127.0.0.1:${port}/mcp`);
  try {
    if (!early) await allConnected(gateway, 'url' in behind ? 1 : behind.stdio);
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  return gateway;
}

/** The gateway that sends a trace of each request to a receiver of its own. */
export async function startTracedGateway(options: TargetOptions): Promise<Target> {
  const collector = startChild({ name: 'collector', args: [COLLECTOR] });
  try {
    const endpoint = await collector.line();
    const gateway = await startGateway({ ...options, options: { ...options.options, traces: { endpoint } } });
    return {
      ...gateway,
      async stop() {
        await gateway.stop();
        await collector.stop();
      },
    };
  } catch (error) {
    await collector.stop();
    throw error;
  }
}

/** One backend is passed through under its own names, so that the tool is `echo` for every target. */
function gatewayConfig(behind: Behind, gateway: Readonly<Record<string, unknown>>): unknown {
  if ('url' in behind)
    return { gateway: { ...gateway, naming: { prefix: 'never' } }, mcpServers: { b: { type: 'http', url: behind.url } } };
  const entry = {
    command: process.execPath,
    args: [STDIO_BACKEND],
    env: { TOOLS: String(behind.tools ?? 1), DELAY: String(behind.delay ?? 0) },
  };
  const servers = Array.from({ length: behind.stdio }, (_, index) => [`b${index}`, entry] as const);
  const naming = behind.stdio === 1 && { naming: { prefix: 'never' } };
  return { gateway: { ...gateway, ...naming }, mcpServers: Object.fromEntries(servers) };
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

function target(name: string, child: Child, url: string): Target {
  return { name, url, child, stop: child.stop };
}

let folder: string | undefined;

/** An empty folder for gateways that remember. */
export const newHome = (): string => mkdtempSync(join(configFolder(), 'home-'));

/** One folder for all configurations of this run; removed at its end, an interrupted one included. */
function configFolder(): string {
  if (folder === undefined) {
    const created = mkdtempSync(join(tmpdir(), 'onemcp-bench-'));
    process.once('exit', () => rmSync(created, { recursive: true, force: true }));
    folder = created;
  }
  return folder;
}

/** A port nobody listens on; someone else could take it before we do, which then shows as a failed start. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
