import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { verifies } from '../support/verifies.ts';
import {
  connect,
  fixture,
  isAlive,
  processesWith,
  type Running,
  startGateway,
  type TestClient,
  textOf,
  until,
  untilState,
} from './gateway.ts';

it(
  verifies(
    ['D61', 'D63', 'crash-own-calls'],
    'kill -9 of a backend fails only its own calls, at once and by name; it comes back by itself',
  ),
  async () => {
    const gateway = await startGateway(
      { victim: fixture('good', {}, { tags: ['v'] }), other: fixture('good') },
      { restart: { initial: '200ms' }, batch: { quiet: '50ms' } },
    );
    const { pid } = await untilState(gateway, 'victim', 'connected');
    await untilState(gateway, 'other', 'connected');
    const client = await connect(gateway.url);
    await client.request('tools/list');
    const notes = await client.listen();

    let checking = true;
    const others: string[] = [];
    const load = (async () => {
      for (let n = 0; checking; n++) others.push(textOf(await client.call('other__echo', { text: `n${n}` })));
    })();
    const calls = Array.from({ length: 16 }, () => client.call('victim__slow', { ms: 60_000 }));
    await until('16 calls are in flight', async () => (await untilState(gateway, 'victim', 'connected')).inFlight === 16);

    const killed = performance.now();
    process.kill(pid as number, 'SIGKILL');
    const answers = await Promise.all(calls);
    const took = performance.now() - killed;
    const moments = await healthUntilBack(gateway, pid as number);
    for (const answer of answers) {
      expect(answer.message.result.isError).toBe(true);
      expect(textOf(answer)).toMatch(/"victim".*SIGKILL/);
      expect(answer.message.result._meta).toMatchObject({ 'dev.onemcp/error': { server: 'victim', reason: 'exit' } });
    }
    // 100 ms on an idle machine; this one is shared.
    expect(took).toBeLessThan(1000);
    console.log(`16 calls failed ${took.toFixed(0)} ms after kill -9`);

    // From the failed calls on no moment shows the dead process, and the whole always agrees with its parts.
    expect(moments.length).toBeGreaterThan(1);
    for (const { status, overall, code, healthy, shownPid } of moments.slice(0, -1)) {
      expect(['error', 'retrying', 'starting']).toContain(status);
      expect([overall, code, healthy, shownPid]).toEqual(['degraded', 200, 1, undefined]);
    }
    const back = moments.at(-1);
    expect(back).toMatchObject({ status: 'connected', overall: 'healthy', code: 200, healthy: 2 });
    expect(back?.shownPid).not.toBe(pid);
    expect(isAlive(back?.shownPid as number)).toBe(true);
    console.log(`health meanwhile, ${moments.length} times: ${[...new Set(moments.map(({ status }) => status))].join(' → ')}`);
    expect(textOf(await client.call('victim__echo', { text: 'again' }))).toContain('again');
    checking = false;
    await load;
    expect(others.length).toBeGreaterThan(0);
    expect(others.every((text, n) => text.includes(`n${n}`))).toBe(true);
    expect(notes, 'the catalog is the same, so nothing is announced').toEqual([]);
  },
);

/** What `/health` says of the victim, again and again, until it is connected. */
async function healthUntilBack(gateway: Running, deadPid: number) {
  const moments: { status: string; overall: string; code: number; healthy: unknown; shownPid: number | undefined }[] = [];
  await until('the victim is back', async () => {
    const { status: code, body } = await gateway.health();
    const victim = body.servers.details.find(({ name }) => name === 'victim');
    moments.push({ status: String(victim?.status), overall: body.status, code, healthy: body.servers.healthy, shownPid: victim?.pid });
    return victim?.status === 'connected' || victim?.pid === deadPid;
  });
  return moments;
}

it(verifies('one-batch', 'a backend that comes back with other tools is announced once, to every session'), async () => {
  const counter = join(tmpdir(), `onemcp-starts-${process.pid}-${Date.now()}`);
  onTestFinished(() => rmSync(counter, { force: true }));
  const gateway = await startGateway(
    { flip: fixture('changes-on-restart', { COUNTER_FILE: counter }), other: fixture('good') },
    { restart: { initial: '200ms' }, batch: { quiet: '100ms' } },
  );
  const { pid } = await untilState(gateway, 'flip', 'connected');
  await untilState(gateway, 'other', 'connected');
  const clients = await Promise.all([connect(gateway.url), connect(gateway.url)]);
  const notes = await Promise.all(clients.map((client) => client.listen()));
  const namesOf = async (client: TestClient) =>
    ((await client.request('tools/list')).message.result.tools as { name: string }[])
      .map(({ name }) => name)
      .filter((name) => /start/.test(name));
  for (const client of clients) expect(await namesOf(client)).toEqual(['flip__start-1']);
  process.kill(pid as number, 'SIGKILL');
  await until('both clients were told', () => notes.every((list) => list.length > 0));
  // A second batch would come within two quiet times.
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(notes.map((list) => list.map(({ method }) => method))).toEqual([
    ['notifications/tools/list_changed'],
    ['notifications/tools/list_changed'],
  ]);
  for (const client of clients) expect(await namesOf(client)).toEqual(['flip__start-2']);
});

it(verifies('one-batch', 'a backend that changes its list while it runs is announced once, to every session'), async () => {
  const gateway = await startGateway(
    { flip: fixture('good'), tools: fixture('list-changes') },
    { batch: { quiet: '100ms' }, refresh: { interval: '10ms' } },
  );
  await untilState(gateway, 'tools', 'connected');
  await untilState(gateway, 'flip', 'connected');
  const clients = await Promise.all([connect(gateway.url), connect(gateway.url)]);
  const notes = await Promise.all(clients.map((client) => client.listen()));
  await Promise.all(clients.map((client) => client.request('tools/list')));
  await clients[0]?.call('tools__add', { name: 'fresh' });
  await until('both clients were told', () => notes.every((list) => list.length > 0));
  expect(notes.map((list) => list.map(({ method }) => method))).toEqual([
    ['notifications/tools/list_changed'],
    ['notifications/tools/list_changed'],
  ]);
  const { message } = await (clients[1] as (typeof clients)[0]).request('tools/list');
  expect((message.result.tools as { name: string }[]).map(({ name }) => name)).toContain('tools__fresh');
});

it(verifies(['kill9-nothing-left', 'J129'], 'kill -9 of the gateway leaves no process of any backend'), async () => {
  const cookie = `onemcp-test-${process.pid}-${Date.now()}`;
  const env = { TEST_COOKIE: cookie };
  const gateway = await startGateway({
    good: fixture('good', env),
    stubborn: fixture('ignores-sigterm', env),
    forks: fixture('forks-children', env),
    daemon: fixture('daemon-grandchild', env),
  });
  for (const name of ['good', 'stubborn', 'forks', 'daemon']) await untilState(gateway, name, 'connected');
  const before = processesWith(cookie);
  expect(before.length).toBeGreaterThanOrEqual(6);
  process.kill(gateway.pid, 'SIGKILL');
  await gateway.exited;
  const killed = performance.now();
  await until('no process is left', () => !before.some(isAlive) && processesWith(cookie).length === 0, 10_000);
  console.log(`nothing is left ${(performance.now() - killed).toFixed(0)} ms after kill -9 of the gateway`);
});
