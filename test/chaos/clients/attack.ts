/** What a hostile client does, as an entry of a table, and the gateway it is done to. */
import type { Json } from '../../../src/world.ts';
import { connect, fixture, type Running, startGateway, type TestClient, until } from '../../e2e/gateway.ts';
import { type Column, type Evidence, judge, type Verdict } from '../harness/judge.ts';
import { startLoad } from '../harness/load.ts';
import { cookieOf, filesOf, marked, memoryOf } from '../harness/proc.ts';
import { replyTo } from '../harness/reply.ts';
import { startWatch } from '../harness/watch.ts';
import { JSON_POST, type Request, type Response, send } from './raw.ts';

export interface Stage {
  readonly running: Running;
  readonly port: number;
  /** An honest client of 2025-11-25, which the attack may use. */
  readonly client: TestClient;
  /** One request to the gateway; with `session`, in that session. */
  send(request: Request & { readonly session?: string }): Promise<Response>;
  /** One message in a session. */
  post(message: unknown, session?: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Notes a complaint unless it holds. */
  check(column: Column, holds: boolean, complaint: string): void;
  expectSoon(column: Column, what: string, holds: () => Promise<boolean> | boolean, ms?: number): Promise<void>;
  /** Requests in flight at the attacked backend, as health says. */
  inFlight(): Promise<number>;
}

export interface Attack {
  readonly name: string;
  /** What the product does not do yet: the test is expected to fail, and says so when it no longer does. */
  readonly missing?: string;
  readonly gateway?: Json;
  /** The attacked backend `odd`; default: one without a fault. */
  readonly backend?: Json;
  /** Descriptors that may be open afterwards and were not before. Default: 20. */
  readonly files?: number;
  readonly run: (stage: Stage) => Promise<void>;
}

export interface AttackEvidence extends Evidence {
  readonly verdict: Verdict;
  readonly files: { readonly before: number; readonly after: number };
}

/** R12. */
const MORE_FILES = 20;
/** The load lasts at least that long, so that there is something to judge. */
const LASTS = 1_000;

export async function runAttack({
  name,
  gateway = {},
  backend = fixture('good'),
  files = MORE_FILES,
  run,
}: Attack): Promise<AttackEvidence> {
  const running = await startGateway({ odd: backend, good: fixture('good') }, gateway, ['--log-level', 'info']);
  const port = Number(new URL(running.url).port);
  const complaints: [Column, string][] = [];
  const check: Stage['check'] = (column, holds, complaint) => {
    if (!holds) complaints.push([column, complaint]);
  };
  const details = async () => (await running.health()).body.servers.details;
  await until('both are connected', async () => (await details()).every(({ status }) => status === 'connected'));
  const cookie = cookieOf((await details())[0]?.pid ?? 0) ?? 'nothing';
  const honest = await connect(running.url);
  const client = await connect(running.url);
  const before = memoryOf(running.pid).now;
  const filesBefore = filesOf(running.pid);
  const load = startLoad(async (text) => (await replyTo(honest, 'good__echo', { text })).text);
  const watch = startWatch(running.url, running.pid);
  const enough = new Promise((resolve) => setTimeout(resolve, LASTS));

  const stage: Stage = {
    running,
    port,
    client,
    send: ({ session, headers, ...request }) =>
      send(port, { ...request, headers: { ...(session !== undefined && sessionHeaders(session)), ...headers } }),
    post: (message, session, headers) =>
      stage.send({
        ...(session !== undefined && { session }),
        headers: { ...JSON_POST, ...headers },
        body: typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message),
      }),
    check,
    expectSoon: (column, what, holds, ms = 5_000) =>
      until(what, holds, ms).then(
        () => {},
        (error: Error) => check(column, false, `${error.message}, ${ms} ms`),
      ),
    inFlight: async () => Number((await details()).find(({ name: of }) => of === 'odd')?.inFlight ?? -1),
  };
  await run(stage).catch((error: Error) => check('answer', false, `${name}: ${error.message} ${error.cause ?? ''}`));
  await enough;
  const loaded = await load.stop();
  const watched = await watch.stop();
  await stage.expectSoon('clean', `at most ${files} more files are open`, () => filesOf(running.pid) <= filesBefore + files, 3_000);
  const filesAfter = filesOf(running.pid);
  for (const line of running.logs.filter(({ event }) => event === 'internal')) check('answer', false, `a bug was logged: ${line.message}`);
  const ended = running.child.exitCode ?? running.child.signalCode ?? undefined;
  const memory = { before, peak: memoryOf(running.pid).peak };
  const began = performance.now();
  const code = await running.stop();
  const ending = { signal: 'SIGTERM' as const, code, took: performance.now() - began, left: marked(cookie) };
  const evidence: Evidence = { load: loaded, control: undefined, complaints, ended, watched, memory, ending };
  return { ...evidence, verdict: judge(evidence), files: { before: filesBefore, after: filesAfter } };
}

export const sessionHeaders = (session: string) => ({ 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' });

export const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'hostile', version: '1' } },
};

export const request = (id: unknown, method: string, params?: Json) => ({ jsonrpc: '2.0', id, method, ...(params && { params }) });
export const call = (id: unknown, tool: string, args: Json = {}) => request(id, 'tools/call', { name: `odd__${tool}`, arguments: args });

/** Runs all, at most `width` at once, and gives the results in order. */
export async function eachAtOnce<T, R>(width: number, items: readonly T[], task: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const [index, item] of queue) results[index] = await task(item, index);
    }),
  );
  return results;
}

/** How often each value occurs, as text: `200×3 404×1`. */
export function tally(values: readonly unknown[]): string {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => `${value}×${count}`).join(' ');
}
