import { describe, expect, it } from 'vitest';
import { createConnection } from '../../src/mcp/connection.ts';
import { createTraffic } from '../../src/mcp/traffic.ts';
import type { Json } from '../../src/world.ts';
import { deferred, fakeGateway, fakeSession, flush, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

function connect(gateway = fakeGateway([])) {
  const written: Json[] = [];
  const connection = createConnection({ context: gateway.context, methods: gateway.methods, onBug: gateway.onBug }, (text) => {
    expect(text).not.toContain('\n');
    return written.push(JSON.parse(text) as Json) > 0;
  });
  const receive = (message: Json) => connection.receive(JSON.stringify({ jsonrpc: '2.0', ...message }));
  return { connection, written, receive };
}

describe('a client on a channel of its own', () => {
  it('begins with initialize, and may ping before', async () => {
    const { connection, written, receive } = connect();
    receive({ id: 1, method: 'tools/list' });
    receive({ id: 2, method: 'ping' });
    receive({ id: 3, method: 'initialize', params: { protocolVersion: '2025-06-18' } });
    receive({ id: 4, method: 'initialize' });
    await flush();
    expect(written).toEqual([
      { jsonrpc: '2.0', id: 1, error: { code: -32600, message: 'the first request must be initialize' } },
      { jsonrpc: '2.0', id: 2, result: {} },
      { jsonrpc: '2.0', id: 3, result: expect.objectContaining({ protocolVersion: '2025-06-18' }) },
      { jsonrpc: '2.0', id: 4, error: { code: -32600, message: 'this session is initialised already' } },
    ]);
    expect(connection.session?.protocolVersion).toBe('2025-06-18');
  });

  it('is told of garbage in JSON-RPC, and goes on', async () => {
    const { connection, written, receive } = connect();
    connection.receive('garbage');
    connection.receive('[]');
    receive({ result: {}, id: 7 });
    receive({ method: 'notifications/cancelled' });
    receive({ id: 1, method: 'ping' });
    await flush();
    expect(written.map(({ id, error }) => [id, (error as Json | undefined)?.code])).toEqual([
      [null, -32700],
      [null, -32600],
      [1, undefined],
    ]);
  });

  it('gets notifications, progress and answers on its one channel', async () => {
    const answered = deferred<Json>();
    const session = fakeSession({
      answer: ({ options }) => {
        options.onProgress?.({ progress: 1 });
        return answered.promise;
      },
    });
    const gateway = fakeGateway([viewOf('a', { session, items: { tools: [tool('t')] } })]);
    const { connection, written, receive } = connect(gateway);
    receive({ id: 0, method: 'initialize', params: {} });
    receive({ method: 'notifications/initialized' });
    receive({ id: 1, method: 'tools/call', params: { name: 'a__t', _meta: { progressToken: 'p' } } });
    gateway.set(viewOf('a', { session, items: { tools: [tool('u')] } }));
    connection.session?.announce(new Set(['tools']));
    answered.resolve({ ok: true });
    await flush();
    expect(written.slice(1).map(({ method, result }) => method ?? result)).toEqual([
      'notifications/progress',
      'notifications/tools/list_changed',
      { ok: true },
    ]);
  });

  it(verifies('E82', 'cancels what it had in flight when it goes'), async () => {
    const signals: (boolean | undefined)[] = [];
    const session = fakeSession({
      answer: ({ options }) => {
        options.signal?.addEventListener('abort', () => signals.push(options.signal?.aborted));
        return new Promise(() => {});
      },
    });
    const { connection, receive } = connect(fakeGateway([viewOf('a', { session, items: { tools: [tool('t')] } })]));
    receive({ id: 0, method: 'initialize' });
    for (const id of [1, 2]) receive({ id, method: 'tools/call', params: { name: 'a__t' } });
    connection.close();
    expect(signals).toEqual([true, true]);
  });

  it(verifies('I123', 'may send batches if it speaks 2025-03-26, and gets one array when all is answered'), async () => {
    const answered = deferred<Json>();
    const session = fakeSession({ answer: () => answered.promise });
    const { connection, written, receive } = connect(fakeGateway([viewOf('a', { session, items: { tools: [tool('t')] } })]));
    const request = (id: unknown, method: string, params: Json = {}) => ({ jsonrpc: '2.0', id, method, params });
    const batch = (...elements: unknown[]) => connection.receive(JSON.stringify(elements));
    batch(request(1, 'initialize', { protocolVersion: '2025-03-26' }));
    receive({ id: 0, method: 'initialize', params: { protocolVersion: '2025-03-26' } });
    batch(request('c', 'tools/call', { name: 'a__t' }), 7, { jsonrpc: '2.0', method: 'notifications/initialized' }, request('p', 'ping'));
    batch({ jsonrpc: '2.0', method: 'notifications/initialized' }, { jsonrpc: '2.0', id: 9, result: {} });
    batch();
    await flush();
    expect(written.map(({ id, error }) => [id, (error as Json | undefined)?.code])).toEqual([
      [null, -32600],
      [0, undefined],
      [null, -32600],
    ]);
    answered.resolve({ ok: true });
    await flush();
    const answers = written[3] as unknown as Json[];
    expect(answers.map(({ id, result }) => [id, result])).toEqual([
      [null, undefined],
      ['p', {}],
      ['c', { ok: true }],
    ]);
  });

  it(verifies('I123', 'may send no batch otherwise, and none that is too long'), () => {
    const long = JSON.stringify(Array(3).fill({ jsonrpc: '2.0', id: 1, method: 'ping' }));
    const refusals = ['2025-06-18', '2025-03-26'].map((protocolVersion) => {
      const { connection, written, receive } = connect(fakeGateway([], { limits: { 'session.maxInFlight': 2 } }));
      receive({ id: 0, method: 'initialize', params: { protocolVersion } });
      connection.receive(long);
      return written[1]?.error as Json;
    });
    expect(refusals).toEqual([
      { code: -32600, message: expect.stringContaining('not accepted in this session') },
      { code: -32600, message: expect.stringMatching(/at most 2 .*maxInFlight/) },
    ]);
  });

  it('is asked on its channel, and its answer arrives', async () => {
    const gateway = fakeGateway([]);
    const { written, receive } = connect(gateway);
    receive({ id: 0, method: 'initialize', params: { capabilities: { roots: {} } } });
    const [client] = gateway.context.clients;
    const answer = client?.ask('roots/list', {}, { signal: new AbortController().signal, timeoutMs: 1000 });
    receive({ id: written[1]?.id, result: { roots: [] } });
    expect(await answer).toEqual({ roots: [] });
  });

  it('that nobody reads any more is not asked', async () => {
    const gateway = fakeGateway([]);
    const { context, methods, onBug } = gateway;
    const connection = createConnection({ context, methods, onBug }, () => false);
    connection.receive('{"jsonrpc":"2.0","id":0,"method":"initialize"}');
    const [client] = context.clients;
    const answer = client?.ask('roots/list', {}, { signal: new AbortController().signal, timeoutMs: 1000 });
    await expect(answer).rejects.toMatchObject({ code: 'connection_failed' });
  });

  it('may go before it began', () => {
    connect().connection.close();
  });
});

describe('the requests in flight', () => {
  const settled = async (promise: Promise<void>) => {
    let done = false;
    void promise.then(() => (done = true));
    await flush();
    return done;
  };

  it(verifies('drain', 'are settled at once when there are none, else with the last one'), async () => {
    const traffic = createTraffic();
    const { signal } = new AbortController();
    expect(await settled(traffic.settled(signal))).toBe(true);
    traffic.enter();
    traffic.enter();
    const waiting = traffic.settled(signal);
    traffic.leave();
    expect(await settled(waiting)).toBe(false);
    traffic.leave();
    expect([await settled(waiting), traffic.inFlight]).toEqual([true, 0]);
  });

  it('are no longer waited for when the signal aborts', async () => {
    const traffic = createTraffic();
    const aborter = new AbortController();
    traffic.enter();
    const waiting = traffic.settled(aborter.signal);
    aborter.abort();
    expect(await settled(waiting)).toBe(true);
    expect(await settled(traffic.settled(aborter.signal))).toBe(true);
  });
});
