import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { describe, expect, it } from 'vitest';
import type { JsonRpcMessage } from '../../src/world.ts';
import { tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';
import { callOf, rpc, serve, until } from './serverKit.ts';

describe('a client that loses its connection in a call', () => {
  it(verifies(['E76', 'I120'], 'does not cancel it, and gets the rest and the result when it comes back'), async () => {
    const { open, calls, streams } = await serve();
    const client = await open();
    const posted = client.post(callOf(1, {}, 'p'));
    await until(() => calls.length === 1);
    calls[0]?.options.onProgress?.({ progress: 1 });
    const stream = await posted;
    await until(() => stream.messages.length === 1);
    stream.drop();
    await until(() => streams.size === 0);
    expect(calls[0]?.options.signal?.aborted).toBe(false);
    calls[0]?.options.onProgress?.({ progress: 2 });

    const back = await client.resume(stream.lastId);
    calls[0]?.options.onProgress?.({ progress: 3 });
    calls[0]?.answer({ content: [] });
    await back.ended;
    expect(back.messages.map(({ params, result }) => params?.progress ?? result)).toEqual([2, 3, { content: [] }]);
    expect(new Set([...stream.events, ...back.events].map(({ id }) => id)).size).toBe(5);
    expect(back.headers['content-type']).toBe('text/event-stream');
  });

  it(verifies(['E76', 'I120'], 'finds the result although it came when nobody was there'), async () => {
    const { open, calls, streams } = await serve({ 'sse.upgradeAfter': 0 });
    const client = await open();
    const stream = await client.post(callOf(1));
    await until(() => stream.lastId);
    stream.drop();
    await until(() => streams.size === 0);
    calls[0]?.answer({ content: [] });
    const back = await client.resume(stream.lastId);
    await back.ended;
    expect(back.messages).toEqual([{ jsonrpc: '2.0', id: 1, result: { content: [] } }]);
  });

  it(verifies('E76', 'before anything was said does not cancel it either, and nothing is kept for it'), async () => {
    const { url, open, calls, context, sessions, streams } = await serve({ 'sse.upgradeAfter': 50 });
    const client = await open();
    const aborter = new AbortController();
    const lost = fetch(`${url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'mcp-session-id': client.session },
      body: callOf(1, {}, 'p'),
      signal: aborter.signal,
    }).catch((error: Error) => error.name);
    await until(() => calls.length === 1);
    aborter.abort();
    expect(await lost).toBe('AbortError');
    await new Promise((resolve) => setTimeout(resolve, 150));
    calls[0]?.options.onProgress?.({ progress: 1 });
    expect([calls[0]?.options.signal?.aborted, streams.size]).toEqual([false, 0]);
    calls[0]?.answer();
    await until(() => context.traffic.inFlight === 0);
    expect([streams.size, sessions.get(client.session)?.streams().isEmpty]).toEqual([0, true]);
  });

  it(
    verifies(['E76', 'I120'], 'gets an answer that is larger than the queue, and much that it missed, however slowly it reads'),
    async () => {
      const { open, calls, streams } = await serve({ 'sse.queueBytes': 64 * 1024, 'sse.replayBytes': 64 * 1024 * 1024 });
      const client = await open();
      const posted = client.post(callOf(1, {}, 'p'));
      await until(() => calls.length === 1);
      calls[0]?.options.onProgress?.({ progress: 0 });
      const stream = await posted;
      await until(() => stream.messages.length === 1);
      stream.drop();
      await until(() => streams.size === 0);
      const message = 'x'.repeat(100_000);
      for (let progress = 1; progress <= 100; progress++) calls[0]?.options.onProgress?.({ progress, message });
      calls[0]?.answer({ content: [{ type: 'text', text: message.repeat(50) }] });

      const back = await client.resume(stream.lastId);
      back.pause(200);
      await back.ended;
      const { messages } = back;
      expect(messages.slice(0, -1).map(({ params }) => params.progress)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
      expect(JSON.stringify(messages.at(-1)?.result)).toHaveLength(
        JSON.stringify({ content: [{ type: 'text', text: message.repeat(50) }] }).length,
      );
    },
  );

  it('ends with its session: what ran is cancelled, streams end, events are gone', async () => {
    const { open, calls } = await serve({ 'sse.upgradeAfter': 0 });
    const client = await open();
    const [stream, listening] = [await client.post(callOf(1)), await client.listen()];
    await until(() => calls.length === 1);
    expect((await client.remove()).status).toBe(204);
    await Promise.all([stream.ended, listening.ended]);
    expect([calls[0]?.options.signal?.aborted, stream.messages]).toEqual([true, []]);
    expect((await client.resume(stream.lastId)).status).toBe(404);
    expect((await client.post(rpc('ping', {}, 2))).status).toBe(404);
  });
});

describe('Last-Event-ID', () => {
  it(verifies('I120', 'whose events had to make room for those of other sessions is 400; a newer one is not'), async () => {
    const { open, calls, streams } = await serve({ 'sse.upgradeAfter': 0, 'sse.replayTotalBytes': 60_000 });
    const lost: { client: Awaited<ReturnType<typeof open>>; lastId: string | undefined }[] = [];
    for (const n of [0, 1]) {
      const client = await open();
      const stream = await client.post(callOf(1));
      await until(() => stream.lastId);
      stream.drop();
      await until(() => streams.size === 0);
      calls[n]?.answer({ content: [{ type: 'text', text: 'x'.repeat(40_000) }] });
      lost.push({ client, lastId: stream.lastId });
    }
    const statuses = await Promise.all(lost.map(async ({ client, lastId }) => (await client.resume(lastId)).status));
    expect(statuses).toEqual([400, 200]);
  });

  it(verifies('I120', 'of another session, or unknown, is 400; the own one is not touched by the attempt'), async () => {
    const { open } = await serve();
    const [mine, other] = [await open(), await open()];
    const [stream, foreign] = [await mine.listen(), await other.listen()];
    await until(() => stream.lastId && foreign.lastId);
    for (const id of [foreign.lastId, 'none', 'x_1', '_', `${stream.lastId}0`]) {
      const refused = await mine.resume(id);
      await refused.ended;
      expect([refused.status, refused.messages[0]?.error.code]).toEqual([400, -32600]);
    }
    expect((await mine.resume(stream.lastId)).status).toBe(200);
    await stream.ended;
  });

  it('of a stream that is over gives the rest, and the end', async () => {
    const { open, calls } = await serve({ 'sse.upgradeAfter': 0 });
    const client = await open();
    const stream = await client.post(callOf('x'));
    await until(() => calls.length === 1);
    calls[0]?.answer({ content: [] });
    await stream.ended;
    const ids = stream.events.map(({ id }) => id);
    const again = await Promise.all(ids.map((id) => client.resume(id)));
    await Promise.all(again.map(({ ended }) => ended));
    expect(again.map(({ messages }) => messages.map(({ id }) => id))).toEqual([['x'], []]);
  });
});

describe('a stream for what belongs to no request', () => {
  it(verifies(['I120', 'I122'], 'goes on after it was lost, without a gap'), async () => {
    const { open, sessions, set, backend, streams } = await serve();
    const client = await open();
    await client.post(rpc('notifications/initialized'));
    const stream = await client.listen();
    const change = (n: number) => {
      set(viewOf('a', { session: backend, items: { tools: [tool(`t${n}`)] } }));
      sessions.announce(new Set(['tools']));
    };
    change(1);
    await until(() => stream.messages.length === 1);
    stream.drop();
    await until(() => streams.size === 0);
    change(2);
    const back = await client.resume(stream.lastId);
    await until(() => back.messages.length === 1);
    change(3);
    await until(() => back.messages.length === 2);
    const numbers = [...stream.events, ...back.events].map(({ id }) => Number(id?.split('_').at(-1)));
    expect(numbers).toEqual([1, 2, 3, 4]);
  });

  it('answers HEAD without opening one', async () => {
    const { send, open, streams } = await serve();
    const { session } = await open();
    const answer = await send({ method: 'HEAD', headers: { 'mcp-session-id': session } });
    expect([answer.status, streams.size]).toEqual([405, 0]);
  });
});

describe('what a client says in a session', () => {
  it('an answer to a request of ours reaches it', async () => {
    const { open, context } = await serve();
    const client = await open('2025-11-25', { roots: {} });
    const stream = await client.listen();
    const [known] = context.clients;
    const answer = known?.ask('roots/list', {}, { signal: new AbortController().signal, timeoutMs: 5_000 });
    await until(() => stream.messages.length === 1);
    const { id, method } = stream.messages[0] as JsonRpcMessage;
    const posted = await client.post(JSON.stringify({ jsonrpc: '2.0', id, result: { roots: [] } }));
    expect([method, posted.status, posted.text]).toEqual(['roots/list', 202, '']);
    expect(await answer).toEqual({ roots: [] });
  });

  it.each([
    ['the version of the session', '2025-06-18', 200],
    ['another that we know', '2025-11-25', 200],
    ['one that we do not', '2099-01-01', 400],
    ['none', undefined, 200],
  ])('with %s in its header: %s', async (_, version, status) => {
    const { open } = await serve();
    const client = await open('2025-06-18');
    const headers: Record<string, string> = version === undefined ? {} : { 'mcp-protocol-version': version };
    expect((await client.post(rpc('ping', {}, 1), headers)).status).toBe(status);
    expect((await client.listen(headers)).status).toBe(status);
  });

  it(verifies('I121', 'the priming event depends on what the session negotiated, not on the header'), async () => {
    const { open } = await serve({ 'sse.upgradeAfter': 0 });
    const [older, newest] = [await open('2025-06-18'), await open('2025-11-25')];
    const streams = [
      await older.listen({ 'mcp-protocol-version': '2025-11-25' }),
      await newest.listen({ 'mcp-protocol-version': '2025-06-18' }),
    ];
    await until(() => streams[1]?.events.length === 1);
    expect(streams.map(({ events }) => events.map(({ data }) => data))).toEqual([[], ['']]);
  });
});

it(verifies(['E76', 'I120'], 'the official client polls through connections that we close, and gets progress and result'), async () => {
  const { url, calls } = await serve({ 'sse.maxConnection': 60, 'sse.retry': 10 });
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`));
  await client.connect(transport);
  const progress: number[] = [];
  const result = client.callTool({ name: 'a__t', arguments: {} }, undefined, { onprogress: ({ progress: n }) => progress.push(n) });
  await until(() => calls.length === 1);
  for (let n = 1; n <= 8; n++) {
    calls[0]?.options.onProgress?.({ progress: n });
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  calls[0]?.answer({ content: [{ type: 'text', text: 'done' }] });
  expect(await result).toEqual({ content: [{ type: 'text', text: 'done' }] });
  expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  await client.close();
});
