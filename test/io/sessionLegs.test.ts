/** Requests of a backend: whom they reach, and what they do to the timers of ours. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WireError } from '../../src/errors.ts';
import { openSession } from '../../src/io/session.ts';
import type { Json, JsonRpcMessage, RequestId, Upward, UpwardOptions } from '../../src/world.ts';
import { deferred, flush } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';
import { fakeTransport } from './fakeTransport.ts';

/** A client that a test answers for. */
function fakeUpward() {
  const asked: { method: string; params: Json | undefined; options: UpwardOptions; answer: ReturnType<typeof deferred<Json>> }[] = [];
  const notified: [string, Json][] = [];
  const upward: Upward = {
    request(method, params, options) {
      const answer = deferred<Json>();
      asked.push({ method, params, options, answer });
      options.signal.addEventListener('abort', () => answer.reject(new Error(String(options.signal.reason))));
      return answer.promise;
    },
    notify: (method, params) => void notified.push([method, params]),
  };
  return { upward, asked, notified };
}

async function connect({ owner, capabilities }: { owner?: Upward; capabilities?: Json } = {}) {
  const transport = fakeTransport();
  const { sent } = transport;
  const session = await openSession(transport, {
    name: 'fake',
    requestTimeout: 1000,
    requestTotalTimeout: 5000,
    humanTotalTimeout: 10_000,
    floodMessages: 200,
    floodProgress: 10,
    clientInfo: { name: 'onemcp', version: '0' },
    capabilities,
    owner,
    log: () => {},
    signal: new AbortController().signal,
  });
  const handshake = sent.splice(0);
  const receive = (message: Json, origin?: RequestId) => transport.onmessage?.({ jsonrpc: '2.0', ...message } as JsonRpcMessage, origin);
  const answersTo = (id: RequestId) => sent.filter((message) => message.method === undefined && message.id === id);
  return { session, transport, sent, handshake, receive, answersTo };
}

const ELICIT = { id: 'e1', method: 'elicitation/create', params: { message: 'Who?' } };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

describe('a request of a backend', () => {
  it('goes to the client of the request on whose stream it arrived', async () => {
    const { session, receive, answersTo } = await connect();
    const [a, b] = [fakeUpward(), fakeUpward()];
    void session.request('tools/call', {}, { upward: a.upward });
    void session.request('tools/call', {}, { upward: b.upward });
    receive(ELICIT, 3);
    expect(a.asked).toEqual([]);
    expect(b.asked).toMatchObject([{ method: 'elicitation/create', params: { message: 'Who?' } }]);
    b.asked[0]?.answer.resolve({ action: 'accept' });
    await flush();
    expect(answersTo('e1')).toEqual([{ jsonrpc: '2.0', id: 'e1', result: { action: 'accept' } }]);
  });

  it(verifies(['F84', 'F92'], 'that cannot be attributed is refused, and no client sees it'), async () => {
    const { session, receive, answersTo } = await connect();
    const only = fakeUpward();
    void session.request('tools/call', {}, { upward: only.upward });
    receive(ELICIT);
    // A request that is over has no client any more.
    receive({ ...ELICIT, id: 'e2' }, 99);
    expect(only.asked).toEqual([]);
    expect(answersTo('e1')).toMatchObject([{ error: { code: -32601, message: expect.stringContaining('"isolation": "session"') } }]);
    expect(answersTo('e2')).toMatchObject([{ error: { code: -32601 } }]);
  });

  it("goes to the owner of the connection, with the owner's newest request if there is one", async () => {
    const [owner, call] = [fakeUpward(), fakeUpward()];
    const { session, receive, handshake } = await connect({ owner: owner.upward, capabilities: { elicitation: {} } });
    expect(handshake[0]?.params).toMatchObject({ capabilities: { elicitation: {} } });
    expect(session.declared).toEqual({ elicitation: {} });
    receive(ELICIT);
    expect(owner.asked).toHaveLength(1);
    void session.request('tools/call', {}, { upward: call.upward });
    receive({ ...ELICIT, id: 'e2' });
    expect(owner.asked).toHaveLength(1);
    expect(call.asked).toHaveLength(1);
  });

  it("is answered with the client's own error", async () => {
    const { session, receive, answersTo } = await connect();
    const { upward, asked } = fakeUpward();
    void session.request('tools/call', {}, { upward });
    receive(ELICIT, 2);
    asked[0]?.answer.reject(new WireError({ code: -1, message: 'User rejected', data: { why: 'no' } }));
    await flush();
    expect(answersTo('e1')).toMatchObject([{ error: { code: -1, message: 'User rejected', data: { why: 'no' } } }]);
  });

  it('that the backend takes back reaches the client as aborted, and gets no answer', async () => {
    const { session, receive, answersTo } = await connect();
    const { upward, asked } = fakeUpward();
    void session.request('tools/call', {}, { upward });
    receive(ELICIT, 2);
    receive({ method: 'notifications/cancelled', params: { requestId: 'e1', reason: 'too slow' } }, 2);
    expect(asked[0]?.options.signal).toMatchObject({ aborted: true, reason: 'too slow' });
    await flush();
    expect(answersTo('e1')).toEqual([]);
  });

  it('is taken back when the call it belongs to is over', async () => {
    const { session, receive, answersTo } = await connect();
    const { upward, asked } = fakeUpward();
    const call = session.request('tools/call', {}, { upward });
    receive(ELICIT, 2);
    receive({ id: 2, result: { done: true } }, 2);
    await call;
    expect(asked[0]?.options.signal.aborted).toBe(true);
    await flush();
    expect(answersTo('e1')).toMatchObject([{ error: { code: -32603 } }]);
  });

  it('is taken back when the backend has gone', async () => {
    const { session, transport, receive } = await connect();
    const { upward, asked } = fakeUpward();
    session.request('tools/call', {}, { upward }).catch(() => {});
    receive(ELICIT, 2);
    transport.onreset?.();
    expect(asked[0]?.options.signal.aborted).toBe(true);
  });

  it("gets the client's progress with its own token", async () => {
    const { session, receive, sent } = await connect();
    const { upward, asked } = fakeUpward();
    void session.request('tools/call', {}, { upward });
    receive({ ...ELICIT, params: { message: 'Who?', _meta: { progressToken: 'mine' } } }, 2);
    asked[0]?.options.onProgress({ progressToken: 7, progress: 1 });
    expect(sent.at(-1)).toEqual({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'mine', progress: 1 } });
  });
});

describe('the timers of a call', () => {
  const open = async () => {
    const connected = await connect();
    const { upward, asked } = fakeUpward();
    const outcome = vi.fn();
    connected.session.request('tools/call', {}, { upward }).then(outcome, outcome);
    await vi.advanceTimersByTimeAsync(900);
    connected.receive(ELICIT, 2);
    return { ...connected, asked, outcome };
  };

  it(verifies('E80', 'rest while somebody is being asked for it, and go on afterwards'), async () => {
    const { asked, outcome } = await open();
    await vi.advanceTimersByTimeAsync(4_000);
    expect(outcome).not.toHaveBeenCalled();
    asked[0]?.answer.resolve({ action: 'accept' });
    await vi.advanceTimersByTimeAsync(900);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(200);
    expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'timeout' }));
  });

  it('moves the total limit by the time people took', async () => {
    const { asked, outcome, receive } = await open();
    await vi.advanceTimersByTimeAsync(6_000);
    asked[0]?.answer.resolve({ action: 'accept' });
    await vi.advanceTimersByTimeAsync(0);
    for (let step = 1; step <= 4; step++) {
      await vi.advanceTimersByTimeAsync(900);
      receive({ method: 'notifications/progress', params: { progressToken: 2, progress: step } }, 2);
    }
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'timeout', data: expect.objectContaining({ limitMs: 5000 }) }));
  });

  it('end even if nobody ever answers', async () => {
    const { outcome, asked } = await open();
    await vi.advanceTimersByTimeAsync(13_000);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'timeout' }));
    expect(asked[0]?.options.signal.aborted).toBe(true);
  });
});

describe('a log message', () => {
  const LOG = { method: 'notifications/message', params: { level: 'info', data: 'x' } };

  it('goes to the client of the request on whose stream it arrived, else to nobody', async () => {
    const { session, receive } = await connect();
    const { upward, notified } = fakeUpward();
    const events: unknown[] = [];
    session.subscribe((event) => events.push(event));
    void session.request('tools/call', {}, { upward });
    receive(LOG, 2);
    expect(notified).toEqual([['notifications/message', LOG.params]]);
    receive(LOG);
    expect(notified).toHaveLength(1);
    expect(events).toEqual([{ type: 'notification', ...LOG }]);
  });

  it('on a connection of one client alone is always that client’s', async () => {
    const owner = fakeUpward();
    const { receive } = await connect({ owner: owner.upward });
    receive(LOG);
    expect(owner.notified).toHaveLength(1);
  });
});
