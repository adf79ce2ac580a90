/** What a session does with more than it looks at. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSession } from '../../src/io/session.ts';
import type { Json, JsonRpcMessage, RequestId, SessionEvent, Upward } from '../../src/world.ts';
import { flush } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';
import { fakeTransport } from './fakeTransport.ts';
import { createLog } from './stdioKit.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function connect() {
  const transport = fakeTransport();
  const logged = createLog();
  const asked: string[] = [];
  const told: Json[] = [];
  const owner: Upward = {
    async request(_method, params) {
      asked.push(String(params?.n));
      return {};
    },
    notify: (_method, params) => void told.push(params),
  };
  const session = await openSession(transport, {
    name: 'fake',
    requestTimeout: 60_000,
    requestTotalTimeout: 60_000,
    humanTotalTimeout: 60_000,
    floodMessages: 200,
    floodProgress: 10,
    clientInfo: { name: 'onemcp', version: '0' },
    owner,
    log: logged.log,
    signal: new AbortController().signal,
  });
  const events: SessionEvent[] = [];
  session.subscribe((event) => events.push(event));
  transport.sent.length = 0;
  const receive = (message: Json) => transport.onmessage?.({ jsonrpc: '2.0', ...message } as JsonRpcMessage);
  const notify = (method: string, params: Json = {}) => receive({ method, params });
  const log = (n: number) => notify('notifications/message', { n });
  const drown = () => {
    for (let n = 0; n < 1_000; n++) log(n);
  };
  const answersTo = (id: RequestId) => transport.sent.filter((message) => message.method === undefined && message.id === id);
  return { session, transport, logged, asked, told, events, receive, notify, log, drown, answersTo };
}

describe('a flood', () => {
  it(verifies('flood-budget', 'of log messages is cut to the budget, counted, and reported once a minute'), async () => {
    const { told, drown, logged, transport, log } = await connect();
    drown();
    expect([told.length, transport.pace.exceeded]).toEqual([200, true]);
    await pass(1_000);
    expect(logged.of('backend.flood')).toMatchObject([{ level: 'warn', fields: { backend: 'fake', dropped: 800, late: 0 } }]);
    drown();
    await pass(58_000);
    expect([told.length, logged.of('backend.flood').length]).toEqual([400, 1]);
    await pass(2_000);
    expect(logged.of('backend.flood').at(-1)?.fields).toMatchObject({ dropped: 800 });
    await pass(600_000);
    log(1);
    expect([told.length, logged.of('backend.flood').length, vi.getTimerCount()]).toEqual([401, 2, 0]);
  });

  it('hides no answer', async () => {
    const { session, drown, receive, transport } = await connect();
    const answer = session.request('tools/call', {});
    drown();
    receive({ id: transport.sent[0]?.id, result: { ok: true } });
    expect(await answer).toEqual({ ok: true });
  });

  it('loses no change of a list, no cancellation, and no end of an elicitation', async () => {
    const { drown, notify, events, receive, asked, transport } = await connect();
    receive({ id: 'q', method: 'sampling/createMessage', params: { n: 'first' } });
    drown();
    notify('notifications/tools/list_changed');
    notify('notifications/elicitation/complete', { elicitationId: 'e' });
    notify('notifications/cancelled', { requestId: 'q' });
    await flush();
    expect(asked).toEqual(['first']);
    expect(events.map(({ type }) => type)).toEqual(['listChanged', 'notification']);
    expect(transport.sent).toEqual([]);
  });

  it('of list_changed leaves room for the rest', async () => {
    const { notify, events, log, told, transport } = await connect();
    for (let n = 0; n < 1_000; n++) notify('notifications/tools/list_changed');
    log(1);
    expect([events.length, told.length, transport.pace.exceeded]).toEqual([1_000, 1, true]);
  });

  it('makes requests wait, in their order, and answers each', async () => {
    const { drown, receive, asked, answersTo } = await connect();
    drown();
    for (let n = 0; n < 50; n++) receive({ id: n, method: 'roots/list', params: { n } });
    receive({ method: 'notifications/cancelled', params: { requestId: 10 } });
    await flush();
    expect(asked).toEqual([]);
    await pass(2_000);
    const expected = Array.from({ length: 50 }, (_, n) => n).filter((n) => n !== 10);
    expect(asked).toEqual(expected.map(String));
    expect(expected.every((n) => answersTo(n).length === 1)).toBe(true);
    expect(answersTo(10)).toEqual([]);
  });

  it('of requests is refused beyond what may wait; pings never are', async () => {
    const { receive, answersTo } = await connect();
    for (let n = 0; n < 1_000; n++) receive({ id: n, method: 'roots/list', params: {} });
    for (let n = 0; n < 1_000; n++) receive({ id: `p${n}`, method: 'ping' });
    await pass(5_000);
    expect(answersTo(999)).toMatchObject([
      { error: { code: -32603, message: expect.stringContaining('more than 200 messages a second') } },
    ]);
    for (let n = 0; n < 1_000; n++)
      expect([answersTo(n).length, answersTo(`p${n}`)]).toEqual([1, [{ jsonrpc: '2.0', id: `p${n}`, result: {} }]]);
    expect(Array.from({ length: 1_000 }, (_, n) => answersTo(n)[0]).filter((answer) => answer?.result)).toHaveLength(300);
  });

  it('of updates of one resource is one late update', async () => {
    const { drown, notify, events } = await connect();
    drown();
    for (let n = 0; n < 100; n++) for (const uri of ['a:1', 'a:2']) notify('notifications/resources/updated', { uri });
    expect(events).toEqual([]);
    await pass(1_000);
    expect(events.map((event) => event.type === 'notification' && event.params.uri)).toEqual(['a:1', 'a:2']);
  });

  it('of answers that nobody waits for is no flood of our log', async () => {
    const { receive, logged } = await connect();
    for (let n = 0; n < 1_000; n++) receive({ id: `x${n}`, result: {} });
    expect(logged.of('backend.late').length).toBeLessThanOrEqual(200);
  });

  it('leaves nothing behind when the session ends', async () => {
    const { session, drown, receive, logged, asked } = await connect();
    drown();
    receive({ id: 1, method: 'roots/list', params: {} });
    await session.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(logged.of('backend.flood')).toHaveLength(1);
    await pass(60_000);
    expect(asked).toEqual([]);
  });
});

describe('progress', () => {
  it(verifies('progress-thinned', 'is thinned out for its client, and its last word comes before the result'), async () => {
    const { session, notify, receive, transport } = await connect();
    const heard: unknown[] = [];
    const answer = session
      .request('tools/call', {}, { onProgress: ({ progress }) => heard.push(progress) })
      .then(() => heard.push('result'));
    const id = transport.sent[0]?.id;
    for (let progress = 1; progress <= 20_000; progress++) notify('notifications/progress', { progressToken: id, progress });
    receive({ id, result: {} });
    await answer;
    expect(heard).toEqual([...Array.from({ length: 20 }, (_, n) => n + 1), 20_000, 'result']);
  });

  it('of a call that its client has cancelled is not delivered late', async () => {
    const { session, notify, transport } = await connect();
    const heard: unknown[] = [];
    const controller = new AbortController();
    const call = session.request('tools/call', {}, { signal: controller.signal, onProgress: ({ progress }) => heard.push(progress) });
    const id = transport.sent[0]?.id;
    for (let progress = 1; progress <= 100; progress++) notify('notifications/progress', { progressToken: id, progress });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    await pass(1_000);
    expect(heard).toHaveLength(20);
  });
});

describe('what a backend gets wrong', () => {
  it('in the name of a notification is only an unknown notification', async () => {
    const { notify, events } = await connect();
    for (const name of ['constructor', '__proto__', 'toString']) notify(name);
    expect(events.map(({ type }) => type)).toEqual(['notification', 'notification', 'notification']);
  });

  it.each([
    ['nothing of it', {}, { code: -32603, message: '"fake" answered with an error that is none of JSON-RPC' }],
    ['a text', 'kaputt', { code: -32603, message: 'kaputt' }],
    ['a code that is no number', { code: '7', message: 'seven' }, { code: -32603, message: 'seven' }],
    ['a message that is no text', { code: 7, message: { a: 1 }, data: 1 }, { code: 7, message: expect.any(String), data: 1 }],
    ['more fields', { code: 7, message: 'm', more: 1 }, { code: 7, message: 'm', more: 1 }],
  ])('in an error, %s, is an error still', async (_title, error, expected) => {
    const { session, receive, transport } = await connect();
    const call = session.request('tools/call', {});
    receive({ id: transport.sent[0]?.id, error });
    await expect(call).rejects.toMatchObject({ error: expected });
  });

  it.each([null, [], 'text', 7, true])('in the params, %j, hurts nobody', async (params) => {
    const { session, receive, transport } = await connect();
    for (const method of ['progress', 'cancelled', 'message', 'resources/updated', 'tools/list_changed']) {
      receive({ method: `notifications/${method}`, params });
    }
    receive({ id: {}, method: 'ping', params });
    const call = session.request('tools/call', {});
    for (const id of [`${transport.sent.at(-1)?.id}`, {}, [], true, 0.5, -1]) receive({ id, result: { wrong: true } });
    receive({ id: transport.sent.at(-1)?.id, result: { right: true } });
    receive({ id: transport.sent.at(-1)?.id, result: { twice: true } });
    expect(await call).toEqual({ right: true });
  });
});
