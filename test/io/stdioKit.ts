import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { StdioBackendSpec } from '../../src/config/config.ts';
import type { OnemcpError } from '../../src/errors.ts';
import type { IoDeps, Log } from '../../src/io/deps.ts';
import { createReaper } from '../../src/io/reaper.ts';
import { openStdio } from '../../src/io/transports/stdio.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import type { Json, JsonRpcMessage, RequestId } from '../../src/world.ts';
import { BASE_SPEC } from '../support/specs.ts';

export interface LogEntry {
  level: string;
  event: string;
  fields: Record<string, unknown>;
}

/** Collects log lines. */
export function createLog(): { log: Log; entries: LogEntry[]; of(event: string): LogEntry[] } {
  const entries: LogEntry[] = [];
  return {
    log: (level, event, fields = {}) => void entries.push({ level, event, fields }),
    entries,
    of: (event) => entries.filter((entry) => entry.event === event),
  };
}

const opened: (() => Promise<void> | void)[] = [];

/** Ends everything the tests of a file have opened: for `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

/** Registers something to be ended after the test. */
export function onClose(close: () => Promise<void> | void): void {
  opened.push(close);
}

/** Real dependencies with a log that can be read. */
export function createDeps(
  changed: Partial<Limits> = {},
  replaced: Partial<IoDeps> = {},
): IoDeps & { logged: ReturnType<typeof createLog> } {
  const logged = createLog();
  const reaper = createReaper({ cookie: randomUUID(), log: logged.log });
  onClose(() => reaper.close());
  const limits = limitsWith({ 'stop.stdin': 1_000, 'stop.term': 500, ...changed });
  return { limits, log: logged.log, reaper, env: process.env, redact: (text) => text, logged, ...replaced };
}

/** Path of a fixture backend. */
const backendFile = (name: string): string => fileURLToPath(new URL(`../fixtures/backends/${name}.mjs`, import.meta.url));

/** Specification of a fixture backend, or of any command line. */
export function specOf(backend: string | readonly string[], changed: Partial<StdioBackendSpec> = {}): StdioBackendSpec {
  const [command, ...args] = typeof backend === 'string' ? [process.execPath, backendFile(backend)] : backend;
  return {
    ...BASE_SPEC,
    kind: 'stdio',
    name: typeof backend === 'string' ? backend : 'it',
    namespace: 'it',
    maxMemory: 0,
    requestTimeout: 30_000,
    requestTotalTimeout: 30_000,
    command: command as string,
    args,
    env: {},
    cwd: process.cwd(),
    ...changed,
  };
}

/** A transport whose events are recorded and whose requests can be awaited. */
export function open(spec: StdioBackendSpec, deps: IoDeps) {
  const transport = openStdio(spec, deps);
  onClose(() => transport.close());
  const messages: JsonRpcMessage[] = [];
  const failures: { id: RequestId; error: OnemcpError }[] = [];
  const closes: OnemcpError[] = [];
  const pending = new Map<unknown, { resolve(message: JsonRpcMessage): void; reject(error: OnemcpError): void }>();
  let nextId = 1;

  transport.onmessage = (message) => {
    messages.push(message);
    if (message.method === undefined) pending.get(message.id)?.resolve(message);
  };
  transport.onfail = (id, error) => {
    failures.push({ id, error });
    pending.get(id)?.reject(error);
  };
  transport.onclose = (error) => {
    closes.push(error);
    for (const { reject } of pending.values()) reject(error);
  };

  const request = (method: string, params: Json = {}) => {
    const id = nextId++;
    const answer = new Promise<JsonRpcMessage>((resolve, reject) => pending.set(id, { resolve, reject }));
    answer.catch(() => {});
    transport.send({ jsonrpc: '2.0', id, method, params });
    return answer;
  };
  return {
    transport,
    messages,
    failures,
    closes,
    request,
    notify: (method: string, params: Json = {}) => transport.send({ jsonrpc: '2.0', method, params }),
    call: (name: string, args: Json = {}) => request('tools/call', { name, arguments: args }),
    async initialize() {
      await transport.start();
      const answer = await request('initialize', {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 't', version: '1' },
      });
      transport.setProtocolVersion('2025-11-25');
      transport.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
      return answer;
    },
  };
}

/** An initialised fixture backend. */
export async function connect(
  backend: string,
  { env = {}, limits = {}, deps = createDeps(limits) }: { env?: Record<string, string>; limits?: Partial<Limits>; deps?: IoDeps } = {},
) {
  const opened = open(specOf(backend, { env }), deps);
  await opened.initialize();
  return { ...opened, deps };
}

/** Text of the first content item of an answer. */
export const textOf = (message: JsonRpcMessage): string => (message.result as { content: { text: string }[] }).content[0]?.text ?? '';

/** Polls until the value is truthy. */
export async function eventually<T>(read: () => T, what: string, ms = 5_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = read();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Living processes whose environment contains the text. */
export function marked(text: string): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return readFileSync(`/proc/${entry}/environ`, 'latin1').includes(text) ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}

/** Whether a process exists and is no zombie. */
export function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** A value that identifies the processes of one test. */
export const createMark = (): string => `TEST_MARK_${randomUUID()}`;
