import { describe, expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { callOf, rpc, serve, until } from './serverKit.ts';

const JSON_ONLY = { accept: 'application/json' };
const STREAM_ONLY = { accept: 'text/event-stream' };
const batch = (...elements: string[]) => `[${elements.join(',')}]`;

describe('a batch in a session of 2025-03-26', () => {
  it(verifies('I123', 'is answered by an array, one response a request and one a bad element'), async () => {
    const { open } = await serve();
    const client = await open('2025-03-26');
    const note = rpc('notifications/initialized');
    const initialize = rpc('initialize', { protocolVersion: '2025-03-26' }, 'i');
    const got = await client.post(batch(rpc('ping', {}, 1), note, '7', '{"id":5}', initialize, '[]', rpc('no/such', {}, 'x')), JSON_ONLY);
    await got.ended;
    expect([got.status, got.text.startsWith('[')]).toEqual([200, true]);
    const byId = Object.fromEntries(got.messages.map(({ id, error, result }) => [String(id), error?.code ?? result]));
    expect(byId).toEqual({ 1: {}, null: -32600, 5: -32600, i: -32600, x: -32601 });
    expect(got.messages).toHaveLength(6);
  });

  it(verifies('I123', 'is an event a response on an event stream, each as soon as it is there, and ends with the last'), async () => {
    const { open, calls } = await serve();
    const client = await open('2025-03-26');
    const posted = client.post(batch(callOf('slow', {}, 'p'), callOf('fast')), STREAM_ONLY);
    await until(() => calls.length === 2);
    calls[1]?.answer({ fast: true });
    const stream = await posted;
    await until(() => stream.messages.length === 1);
    calls[0]?.options.onProgress?.({ progress: 1 });
    calls[0]?.answer({ slow: true });
    await stream.ended;
    expect(stream.messages.map(({ id, method, result }) => [id ?? method, result])).toEqual([
      ['fast', { fast: true }],
      ['notifications/progress', undefined],
      ['slow', { slow: true }],
    ]);
  });

  it('what was answered already comes first when a stream has to be opened', async () => {
    const { open, calls } = await serve();
    const client = await open('2025-03-26');
    const posted = client.post(batch(rpc('ping', {}, 'ping'), callOf('call', {}, 'p')));
    await until(() => calls.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    calls[0]?.options.onProgress?.({ progress: 1 });
    calls[0]?.answer();
    const stream = await posted;
    await stream.ended;
    expect(stream.messages.map(({ id, method }) => id ?? method)).toEqual(['ping', 'notifications/progress', 'call']);
  });

  it(verifies('I123', 'of notifications and responses only is 202'), async () => {
    const { open, calls, context } = await serve();
    const client = await open('2025-03-26', { roots: {} });
    const stream = await client.listen();
    const [known] = context.clients;
    const answer = known?.ask('roots/list', {}, { signal: new AbortController().signal, timeoutMs: 5_000 });
    const posted = client.post(callOf('c'), JSON_ONLY);
    await until(() => calls.length === 1 && stream.messages.length === 1);
    const cancel = rpc('notifications/cancelled', { requestId: 'c' });
    const got = await client.post(batch(cancel, JSON.stringify({ jsonrpc: '2.0', id: stream.messages[0]?.id, result: { roots: [] } })));
    await got.ended;
    expect(await answer).toEqual({ roots: [] });
    expect([got.status, got.text, calls[0]?.options.signal?.aborted]).toEqual([202, '', true]);
    expect((await posted).status).toBe(204);
  });

  it('whose requests are cancelled gets the other responses', async () => {
    const { open, calls } = await serve();
    const client = await open('2025-03-26');
    const posted = client.post(batch(callOf(1), callOf(2)), JSON_ONLY);
    await until(() => calls.length === 2);
    await client.post(rpc('notifications/cancelled', { requestId: 1 }));
    calls[1]?.answer({ ok: true });
    const got = await posted;
    await got.ended;
    expect(JSON.parse(got.text)).toEqual([{ jsonrpc: '2.0', id: 2, result: { ok: true } }]);
  });

  it('is bounded by session.maxInFlight, as a whole and together with what is in flight', async () => {
    const { open, calls } = await serve({ 'session.maxInFlight': 3 });
    const client = await open('2025-03-26');
    const tooMany = await client.post(batch(...Array.from({ length: 4 }, (_, id) => rpc('ping', {}, id))));
    await tooMany.ended;
    expect([tooMany.status, tooMany.messages[0]?.error]).toEqual([400, { code: -32600, message: expect.stringMatching(/3.*maxInFlight/) }]);

    const running = client.post(callOf('running'), JSON_ONLY);
    await until(() => calls.length === 1);
    const posted = client.post(batch(callOf(1), callOf(2), callOf(3)), JSON_ONLY);
    await until(() => calls.length === 3);
    for (const { answer } of calls) answer();
    const got = await posted;
    await Promise.all([got.ended, running]);
    expect(got.messages.map(({ id, error }) => [id, error?.code])).toEqual(
      expect.arrayContaining([
        [1, undefined],
        [2, undefined],
        [3, -32603],
      ]),
    );
  });

  it('that is empty is -32600', async () => {
    const { open } = await serve();
    const got = await (await open('2025-03-26')).post('[]');
    await got.ended;
    expect([got.status, got.messages[0]?.error.code]).toEqual([400, -32600]);
  });
});

it.each(['2024-11-05', '2025-06-18', '2025-11-25'])(
  verifies('I123', 'a batch in a session of %s is refused as a whole'),
  async (version) => {
    const { open, calls } = await serve();
    const got = await (await open(version)).post(batch(callOf(1)));
    await got.ended;
    expect([got.status, got.messages.map(({ id, error }) => [id, error.code]), calls.length]).toEqual([400, [[null, -32600]], 0]);
  },
);

it('a batch in no session is refused', async () => {
  const { send } = await serve();
  const got = await send({ body: batch(rpc('initialize', { protocolVersion: '2025-03-26' }, 1)) });
  await got.ended;
  expect([got.status, got.messages[0]?.error.code]).toEqual([400, -32600]);
});
