import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { ERROR_META } from '../../src/mcp/failure.ts';
import type { Json } from '../../src/world.ts';
import { deferred, type FakeBackend, fakeClient, fakeGateway, fakeSession, flush, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const textOf = ({ result }: { result: Json }) => (result.content as { text: string }[])[0]?.text;
const metaOf = ({ result }: { result: Json }) => (result._meta as Json | undefined)?.[ERROR_META];
const items = { tools: [tool('t')], prompts: [{ name: 'ask' }], resources: [{ uri: 'db://x' }] };
const OK = { content: [] };

/** A backend that answers when it is told to. */
function busyBackend(view: FakeBackend = {}) {
  const open: ReturnType<typeof deferred<Json>>[] = [];
  const answer = () => {
    const one = deferred<Json>();
    open.push(one);
    return one.promise;
  };
  const session = fakeSession({ answer, capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {} } });
  const shown = { items, maxConcurrency: 1, maxQueue: 2, ...view };
  const gateway = fakeGateway([viewOf('a', { session, ...shown })], { extensions: { 'com.acme/x': 'a' } });
  return {
    session,
    gateway,
    shown,
    lane: gateway.context.lanes.of('a'),
    /** Answers the oldest request. */
    async finish(result: Json = structuredClone(OK)) {
      open.shift()?.resolve(result);
      await flush();
    },
    /** Dies under its requests; the World does not know yet. */
    async crash() {
      const error = new OnemcpError('backend_exited', '"a" exited with code 1');
      session.emit({ type: 'closed', error });
      for (const one of open.splice(0)) one.reject(error);
      await flush();
    },
  };
}
const call = (client: ReturnType<typeof fakeClient>, args: Json = {}) => client.ask('tools/call', { name: 'a__t', arguments: args });

describe('a busy backend', () => {
  it.each([
    ['tools/call', { name: 'a__t' }],
    ['prompts/get', { name: 'a__ask' }],
    ['resources/read', { uri: 'db://a/x' }],
    ['resources/subscribe', { uri: 'db://a/x' }],
    ['com.acme/x/do', {}],
  ])(verifies('fair-queue', 'takes %s when it has a place for it'), async (method, params) => {
    const { session, gateway, finish, lane } = busyBackend();
    const [one, other] = [fakeClient(gateway), fakeClient(gateway)];
    const first = call(one);
    const second = other.ask(method, params);
    await flush();
    expect([session.received.length, lane.status()?.queued]).toEqual([1, 1]);
    await finish();
    expect(session.received.map((received) => received.method)).toEqual(['tools/call', method]);
    await finish();
    await Promise.all([first, second]);
    expect([lane.isEmpty, vi.getTimerCount()]).toEqual([true, 0]);
  });

  it(verifies('fair-queue', 'refuses what is too much, and what waits too long: nothing was sent'), async () => {
    const { session, gateway, finish, lane } = busyBackend();
    const client = fakeClient(gateway);
    const first = call(client);
    const waiting = [call(client), client.ask('prompts/get', { name: 'a__ask' })] as const;
    const refused = await call(client);
    expect(textOf(refused)).toMatch(
      /^Server "a" is busy: its queue is full, with 1 .*maxConcurrency 1.* 2 waiting \(maxQueue 2\)\. Nothing/,
    );
    expect(metaOf(refused)).toEqual({ server: 'a', reason: 'queue-full', retryable: true, retryAfterMs: 2_000 });
    await pass(5_000);
    const [late, prompt] = await Promise.all(waiting);
    expect(textOf(late)).toBe(
      'Server "a" is busy: its queue gave the request no place within 5 s (queueTimeout), with 1 requests in flight (maxConcurrency 1). Nothing was sent to it.',
    );
    expect(prompt.error).toMatchObject({ code: -32603, data: { reason: 'queue-timeout', retryable: true } });
    await finish();
    await first;
    expect([session.received.length, lane.isEmpty]).toEqual([1, true]);
  });

  it('gives no completions instead of a wait', async () => {
    const { gateway, finish, session } = busyBackend();
    const client = fakeClient(gateway);
    const first = call(client);
    const ref = { type: 'ref/prompt', name: 'a__ask' };
    const completion = await client.ask('completion/complete', { ref, argument: { name: 'x', value: '' } });
    expect(completion.result).toEqual({ completion: { values: [], total: 0, hasMore: false } });
    await finish();
    await first;
    expect(session.received).toHaveLength(1);
  });

  it('counts what its other connections have in flight', async () => {
    const { gateway, finish, lane } = busyBackend({ isolation: 'session' });
    const client = fakeClient(gateway);
    const answer = call(client);
    await flush();
    const own = fakeSession({ answer: () => ({ content: [] }) });
    lane.tryEnter(1);
    if (gateway.needed[0]) gateway.setInstance(gateway.needed[0], { session: own });
    await flush();
    expect([own.received.length, lane.inFlight]).toEqual([0, 1]);
    lane.leave();
    expect((await answer).result).toEqual(OK);
    await finish();
    expect([own.received.length, lane.isEmpty]).toEqual([1, true]);
  });

  it.each(['succeeds', 'fails'])('gets its place back from a request that %s', async (how) => {
    const session = fakeSession({ answer: () => (how === 'fails' ? Promise.reject(new OnemcpError('timeout', 'late')) : { content: [] }) });
    const gateway = fakeGateway([viewOf('a', { session, items, maxConcurrency: 1, maxQueue: 0 })]);
    for (let n = 0; n < 3; n++) await call(fakeClient(gateway));
    expect([session.received.length, gateway.context.lanes.of('a').isEmpty]).toEqual([3, true]);
  });

  it('forgets a waiting request that is cancelled, and gives its turn to the next', async () => {
    const { session, gateway, finish, lane } = busyBackend();
    const client = fakeClient(gateway);
    const first = call(client);
    const second = client.request('tools/call', { name: 'a__t' }, 50);
    const third = call(client);
    await flush();
    client.cancel(50);
    expect(await second).toBeUndefined();
    expect(lane.status()?.queued).toBe(1);
    await finish();
    await finish();
    await Promise.all([first, third]);
    expect([session.received.length, lane.isEmpty]).toEqual([2, true]);
  });

  it(verifies('fair-queue', 'that goes down keeps its line for the next connection, in order and without a word of it'), async () => {
    const { session, gateway, shown, lane, crash } = busyBackend({ maxQueue: 3 });
    const [one, other] = [fakeClient(gateway), fakeClient(gateway)];
    const first = call(one);
    const answers = [call(one, { n: 1 }), call(one, { n: 3 }), call(other, { n: 2 })];
    await flush();
    await crash();
    expect(textOf(await first)).toContain('may have been executed; it was not repeated');
    // Each had its turn in vain, for the World still shows the dead session.
    expect([session.received.length, lane.inFlight, lane.status()?.queued]).toEqual([1, 0, 3]);
    gateway.set(viewOf('a', { ...shown, state: 'retrying', connects: 1 }));
    await pass(4_000);
    expect(lane.status()).toEqual({ queued: 3, queueAgeMs: 4_000 });
    const next = fakeSession({ answer: () => ({ content: [] }) });
    gateway.set(viewOf('a', { ...shown, session: next }));
    expect((await Promise.all(answers)).map(({ result }) => result)).toEqual([OK, OK, OK]);
    expect(next.received.map(({ params }) => (params as { arguments: Json }).arguments.n)).toEqual([1, 2, 3]);
    expect([lane.isEmpty, vi.getTimerCount()]).toEqual([true, 0]);
  });

  it('that does not come back fails its line clearly, after callWait', async () => {
    const { gateway, shown, lane, crash } = busyBackend();
    const client = fakeClient(gateway);
    const [first, waiting] = [call(client), call(client)];
    await flush();
    gateway.set(viewOf('a', { ...shown, state: 'retrying', connects: 1 }));
    await crash();
    await first;
    await pass(10_000);
    expect(textOf(await waiting)).toBe(
      'Server "a" is down and will be restarted. The call waited 10 s for it. It will be usable as soon as it is connected. Nothing was sent to it.',
    );
    expect([lane.status(), vi.getTimerCount()]).toEqual([undefined, 0]);
  });

  it('bounds those that wait for its connection as well: no more than it could take in', async () => {
    const starting = { items, state: 'starting', connects: 1, maxConcurrency: 1, maxQueue: 2 } as const;
    const gateway = fakeGateway([viewOf('a', starting)]);
    const client = fakeClient(gateway);
    const answers = [call(client), call(client), call(client)];
    const refused = await call(client);
    expect(metaOf(refused)).toMatchObject({ reason: 'queue-full' });
    gateway.set(viewOf('a', { ...starting, state: 'connected', session: fakeSession({ answer: () => ({ content: [] }) }) }));
    expect((await Promise.all(answers)).map(({ result }) => result)).toEqual([OK, OK, OK]);
  });
});

describe('a sleeping backend', () => {
  const asleep: FakeBackend = { state: 'idle', asleep: true, settled: true, connects: 1, items };
  const awake = () => viewOf('a', { items, session: fakeSession({ answer: () => ({ content: [] }) }) });
  const starting = viewOf('a', { state: 'starting', connects: 1, items });

  it(verifies('wake-on-call', 'is woken once by a call, which waits longer than callWait for its start'), async () => {
    const gateway = fakeGateway([viewOf('a', asleep)]);
    const client = fakeClient(gateway);
    const answer = call(client);
    await flush();
    expect(gateway.woken).toEqual(['a']);
    gateway.set(starting);
    await pass(9_000);
    // Who comes while it starts waits as long.
    const second = call(client);
    await pass(16_000);
    gateway.set(awake());
    expect([(await answer).result, (await second).result, gateway.woken]).toEqual([OK, OK, ['a']]);
    expect([gateway.listeners, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it(verifies('wake-on-call', 'that does not come is told of after wakeWait'), async () => {
    const gateway = fakeGateway([viewOf('a', asleep)]);
    const answer = call(fakeClient(gateway));
    await flush();
    gateway.set(starting);
    await pass(30_000);
    expect(textOf(await answer)).toBe(
      'Server "a" is still starting. The call waited 30 s for it. It will be usable as soon as it is connected. Nothing was sent to it.',
    );
  });

  it('that fails to start is not waited for beyond callWait', async () => {
    const gateway = fakeGateway([viewOf('a', asleep)]);
    const answer = call(fakeClient(gateway));
    await flush();
    gateway.set(starting);
    await pass(12_000);
    gateway.set(viewOf('a', { state: 'retrying', connects: 1, items, lastError: new OnemcpError('spawn_failed', 'no such program') }));
    expect(textOf(await answer)).toMatch(/^Server "a" is down .* waited 12 s for it\. Last error: no such program\./);
  });

  it('is woken also by a call that comes while it goes to sleep', async () => {
    const gateway = fakeGateway([viewOf('a', { ...asleep, state: 'stopping', asleep: false })]);
    const answer = call(fakeClient(gateway));
    await flush();
    expect(gateway.woken).toEqual([]);
    gateway.set(viewOf('a', asleep));
    await flush();
    expect(gateway.woken).toEqual(['a']);
    gateway.set(awake());
    expect((await answer).result).toEqual(OK);
  });

  it.each([
    ['resources/read', { uri: 'db://a/unlisted' }],
    ['resources/subscribe', { uri: 'db://a/unlisted' }],
    ['com.acme/x/do', {}],
  ])(verifies('wake-on-call', 'is woken by %s although its lists are not known'), async (method, params) => {
    const gateway = fakeGateway([viewOf('a', { ...asleep, connects: 0, items: {} })], { extensions: { 'com.acme/x': 'a' } });
    void fakeClient(gateway).ask(method, params);
    await flush();
    expect(gateway.woken).toEqual(['a']);
  });

  it.each(['a__t', 't'])(verifies('wake-on-call', 'that was never connected is woken by a call of %s, which may be its'), async (name) => {
    const gateway = fakeGateway([viewOf('a', { ...asleep, connects: 0, items: {} })], { prefix: name === 't' ? 'never' : 'always' });
    const answer = fakeClient(gateway).ask('tools/call', { name });
    await flush();
    expect(gateway.woken).toEqual(['a']);
    gateway.set(viewOf('a', { state: 'starting' }));
    await pass(20_000);
    gateway.set(awake());
    expect((await answer).result).toEqual(OK);
  });

  it(verifies('wake-on-call', 'sleeps on through lists, pings, completions, and names that it cannot have'), async () => {
    const remembered = viewOf('b', { ...asleep, connects: 0, remembered: 1 });
    const gateway = fakeGateway([viewOf('a', { ...asleep, connects: 0, items: { prompts: items.prompts } }), remembered]);
    const client = fakeClient(gateway);
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'ping']) await client.ask(method);
    await client.ask('completion/complete', { ref: { type: 'ref/prompt', name: 'a__ask' }, argument: { name: 'x', value: '' } });
    for (const name of ['c__t', 'b__unheard', 'nothing']) {
      expect((await client.ask('tools/call', { name })).error.message).toBe(`Unknown tool: ${name}`);
    }
    expect(gateway.woken).toEqual([]);
  });
});

describe('a backend that its operator drains', () => {
  const held = { since: 0, until: 60_000 };
  const draining = (session = fakeSession({ answer: () => ({ content: [] }) }), until: number | undefined = held.until) =>
    viewOf('a', { session, items, held: { since: 0, until } });

  it(verifies('operator-hold', 'gets nothing until it is resumed'), async () => {
    const session = fakeSession({ answer: () => ({ content: [] }) });
    const gateway = fakeGateway([draining(session)]);
    const answer = call(fakeClient(gateway));
    await pass(9_000);
    expect([session.received, gateway.context.lanes.statusOf('a')]).toEqual([[], { queued: 1, queueAgeMs: 9_000 }]);
    gateway.set(viewOf('a', { session, items }));
    expect([(await answer).result, session.received.length]).toEqual([OK, 1]);
  });

  it(verifies('operator-hold', 'is told of after callWait, with its end'), async () => {
    vi.setSystemTime(Date.parse('2026-01-01T12:00:00.000Z'));
    const session = fakeSession();
    const until = Date.parse('2026-01-01T12:01:00.000Z');
    const gateway = fakeGateway([draining(session, until)]);
    const client = fakeClient(gateway);
    const [answer, read] = [call(client), client.ask('resources/read', { uri: 'db://a/x' })];
    await pass(10_000);
    const text = 'Server "a" is drained by its operator until 2026-01-01T12:01:00.000Z. Nothing was sent to it.';
    expect(textOf(await answer)).toBe(text);
    expect(metaOf(await answer)).toEqual({ server: 'a', reason: 'drained', retryable: true, retryAfterMs: 50_000 });
    expect((await read).error).toEqual({
      code: -32603,
      message: text,
      data: { server: 'a', reason: 'drained', retryable: true, retryAfterMs: 50_000 },
    });
    expect(session.received).toEqual([]);
  });

  it('with no end says that it lasts until it is resumed', async () => {
    const gateway = fakeGateway([viewOf('a', { items, held: { since: 0, until: undefined } })]);
    const answer = call(fakeClient(gateway));
    await pass(10_000);
    expect(textOf(await answer)).toBe('Server "a" is drained by its operator until it is resumed. Nothing was sent to it.');
  });

  it(verifies('operator-hold', 'gets nothing from its line either, nor is it woken or asked for a connection'), async () => {
    const { session, gateway, shown, finish } = busyBackend();
    const client = fakeClient(gateway);
    const [first, second] = [call(client), call(client)];
    await flush();
    gateway.set(viewOf('a', { ...shown, session, held }));
    await finish();
    await first;
    expect(session.received).toHaveLength(1);
    gateway.set(viewOf('a', { ...shown, session }));
    await flush();
    expect(session.received).toHaveLength(2);
    await finish();
    expect((await second).result).toEqual(OK);

    const other = fakeGateway([viewOf('a', { state: 'idle', asleep: true, items, isolation: 'session', held })]);
    void call(fakeClient(other));
    await pass(1_000);
    expect([other.woken, other.needed]).toEqual([[], []]);
  });
});

describe('what is told of a backend that cannot be asked', () => {
  const told = async (view: FakeBackend, ...others: Parameters<typeof fakeGateway>[0]) => {
    vi.setSystemTime(1_000_000);
    const gateway = fakeGateway([viewOf('a', { items, connects: 1, ...view }), ...others]);
    const answer = call(fakeClient(gateway));
    await pass(10_000);
    return answer;
  };

  it('that has failed too often: at once, and when it is probed', async () => {
    const view = { state: 'failed', failures: 5, retryAt: 1_042_500, lastError: new OnemcpError('backend_exited', '"a" exited') } as const;
    const answer = await told(view);
    expect(textOf(answer)).toBe(
      'Server "a" has failed 5 times in a row. Last error: "a" exited. It is probed again in 42.5 s. Nothing was sent to it.',
    );
    expect(metaOf(answer)).toEqual({ server: 'a', reason: 'unavailable', retryable: true, retryAfterMs: 42_500 });
  });

  it('that is not tried again', async () => {
    const answer = await told({ state: 'failed', failures: 1 });
    expect(textOf(answer)).toBe(
      'Server "a" has failed. It is not tried again until its configuration changes, or until `onemcp restart a`. Nothing was sent to it.',
    );
    expect(metaOf(answer)).toEqual({ server: 'a', reason: 'unavailable', retryable: false });
  });

  it.each([
    ['failed', 'has failed'],
    ['stopped', 'was stopped by its operator'],
  ] as const)('that was never connected and is %s: by the namespace of the name', async (state, why) => {
    const answer = await fakeClient(fakeGateway([viewOf('a', { state })])).ask('tools/call', { name: 'a__t' });
    expect(textOf(answer)).toContain(`Server "a" ${why}`);
  });

  it('that is probed within callWait: it is waited for', async () => {
    vi.setSystemTime(1_000_000);
    const gateway = fakeGateway([viewOf('a', { items, state: 'failed', failures: 5, retryAt: 1_004_000 })]);
    const answer = call(fakeClient(gateway));
    await pass(5_000);
    gateway.set(viewOf('a', { items, session: fakeSession({ answer: () => ({ content: [] }) }) }));
    expect((await answer).result).toEqual(OK);
  });

  it('that waits for others: for whom, and how they are', async () => {
    const waitsFor = ['db', 'gone'];
    expect(textOf(await told({ state: 'idle', waitsFor }, viewOf('db', { state: 'retrying' })))).toBe(
      'Server "a" waits for "db", which is down and will be restarted, and "gone", which is not configured. The call waited 10 s for it. It will be usable as soon as it is connected. Nothing was sent to it.',
    );
  });
});
