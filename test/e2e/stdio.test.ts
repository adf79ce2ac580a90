import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import type { Json, JsonRpcMessage } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { fixture, isAlive, MAIN, processesWith, until } from './gateway.ts';

interface StdioGateway {
  readonly child: ChildProcess;
  /** Every line of stdout, parsed. */
  readonly received: JsonRpcMessage[];
  readonly exited: Promise<number | null>;
  send(message: Json | string): void;
  answer(id: string | number): Promise<JsonRpcMessage & { result: Json }>;
}

function startStdio(mcpServers: Json, gateway: Json = {}, args: readonly string[] = []): StdioGateway {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-stdio-'));
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers, gateway }));
  const child = spawn(process.execPath, [MAIN, 'run', '--stdio', '--log-level', 'debug', ...args], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const received: JsonRpcMessage[] = [];
  // Anything that is not JSON on stdout fails the test right here.
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => received.push(JSON.parse(line) as JsonRpcMessage));
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  onTestFinished(async () => {
    child.kill();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    child,
    received,
    exited,
    send: (message) =>
      void child.stdin?.write(`${typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message })}\n`),
    answer: (id) =>
      until(
        `${id} is answered`,
        () => received.find((message) => message.id === id && message.method === undefined) as JsonRpcMessage & { result: Json },
      ),
  };
}

const INITIALIZE = {
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};
const call = (id: string | number, name: string, args: Json = {}, meta?: Json) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta && { _meta: meta }) },
});

it(verifies('J134', 'serves a client on stdin and stdout: concurrent calls, progress, cancellation, list_changed'), async () => {
  const gateway = startStdio({ p: fixture('progress'), l: fixture('list-changes') }, { batch: { quiet: '50ms' } });
  gateway.send({ id: 'early', method: 'ping' });
  expect((await gateway.answer('early')).result).toEqual({});
  gateway.send({ id: 'too soon', method: 'tools/list' });
  expect((await gateway.answer('too soon')).error).toMatchObject({ code: -32600 });
  gateway.send({ id: 0, ...INITIALIZE });
  expect((await gateway.answer(0)).result).toMatchObject({ protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true } } });
  gateway.send({ method: 'notifications/initialized' });
  gateway.send({ id: 'list', method: 'tools/list' });
  expect(((await gateway.answer('list')).result.tools as unknown[]).length).toBeGreaterThan(6);

  gateway.send(call('slow', 'p__slow', { ms: 400 }));
  gateway.send(call('count', 'p__count', { n: 3 }, { progressToken: 'mine' }));
  gateway.send(call('never', 'p__count', { n: 1000 }));
  await gateway.answer('count');
  gateway.send({ method: 'notifications/cancelled', params: { requestId: 'never', reason: 'enough' } });
  await gateway.answer('slow');
  gateway.send(call('add', 'l__add', { name: 'fresh' }));
  await until('the change is announced', () => gateway.received.some(({ method }) => method === 'notifications/tools/list_changed'));
  gateway.send('{ "broken"');
  await until('it is refused', () => gateway.received.some(({ error }) => error?.code === -32700));

  const ids = gateway.received.map(({ id }) => id);
  expect(ids.indexOf('count')).toBeLessThan(ids.indexOf('slow'));
  expect(ids).not.toContain('never');
  expect(gateway.received.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params)).toEqual(
    [1, 2, 3].map((progress) => expect.objectContaining({ progressToken: 'mine', progress })),
  );
});

it(verifies('J135', 'the end of stdin ends it: exit code 0, no process left'), async () => {
  const cookie = `stdio-${process.pid}-${Date.now()}`;
  const gateway = startStdio({ a: fixture('good', { TEST_COOKIE: cookie }), b: fixture('forks-children', { TEST_COOKIE: cookie }) });
  gateway.send({ id: 0, ...INITIALIZE });
  gateway.send({ method: 'notifications/initialized' });
  gateway.send({ id: 1, method: 'tools/list' });
  await gateway.answer(1);
  gateway.send(call(2, 'a__slow', { ms: 60_000 }));
  const pids = processesWith(cookie);
  expect(pids.length).toBeGreaterThanOrEqual(3);
  const began = performance.now();
  gateway.child.stdin?.end();
  expect(await gateway.exited).toBe(0);
  console.log(`gone ${(performance.now() - began).toFixed(0)} ms after the end of stdin`);
  await until('no process is left', () => !pids.some(isAlive), 5000);
});
