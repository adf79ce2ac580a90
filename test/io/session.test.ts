import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { OnemcpError, WireError } from '../../src/errors.ts';
import { openSession, type SessionOptions } from '../../src/io/session.ts';
import { Cancellation } from '../../src/mcp/cancel.ts';
import type { Json, JsonRpcMessage, SessionEvent } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { type FakeTransport, fakeTransport } from './fakeTransport.ts';

const open = (transport: FakeTransport, more: Partial<SessionOptions> = {}) =>
  openSession(transport, {
    name: 'fake',
    requestTimeout: 1000,
    requestTotalTimeout: 5000,
    humanTotalTimeout: 3000,
    floodMessages: 200,
    floodProgress: 10,
    clientInfo: { name: 'onemcp', version: '0' },
    log: () => {},
    signal: new AbortController().signal,
    ...more,
  });

const last = ({ sent }: FakeTransport) => sent.at(-1) as JsonRpcMessage;
const answer = (transport: FakeTransport, id: unknown, result: Json) => transport.onmessage?.({ jsonrpc: '2.0', id: id as number, result });

it('shakes hands: our newest version, no capabilities, then initialized', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  expect(transport.sent).toEqual([
    {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'onemcp', version: '0' } },
    },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
  ]);
  expect(transport.setProtocolVersion).toHaveBeenCalledWith('2025-06-18');
  expect(session.info).toMatchObject({ protocolVersion: '2025-06-18', capabilities: { tools: {} } });
});

it('refuses an unknown version, and closes', async () => {
  const transport = fakeTransport({ protocolVersion: '1999-01-01' });
  await expect(open(transport)).rejects.toMatchObject({ code: 'unsupported_version', data: { server: 'fake', retryable: false } });
  expect(transport.closes).toBe(1);
});

it(
  verifies('secrets-nowhere', 'names an unknown version, and the id of a stray answer, without secrets, also where they are cut'),
  async () => {
    const redact = (text: string) => text.replaceAll('hunter2-hunter2', '***');
    const versioned = fakeTransport({ protocolVersion: `${'v'.repeat(30)}hunter2-hunter2` });
    await expect(open(versioned, { redact })).rejects.toThrow(`protocol version "${'v'.repeat(30)}***", which`);
    const transport = fakeTransport();
    const logged: unknown[] = [];
    await open(transport, { redact, log: (_, event, fields) => void logged.push([event, fields?.id]) });
    answer(transport, `${'i'.repeat(90)}hunter2-hunter2`, {});
    expect(logged).toEqual([['backend.late', `${'i'.repeat(90)}***`]]);
  },
);

it('an aborted handshake closes, and is never cancelled on the wire', async () => {
  const transport = fakeTransport();
  transport.send = (message) => void transport.sent.push(message);
  const controller = new AbortController();
  const opening = open(transport, { signal: controller.signal });
  await sleep(0);
  controller.abort();
  await expect(opening).rejects.toMatchObject({ code: 'cancelled' });
  expect(transport.sent.map(({ method }) => method)).toEqual(['initialize']);
  expect(transport.closes).toBe(1);
});

it('answers in any order reach their own request; unknown and late ones nobody', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  const first = session.request('a', {});
  const second = session.request('b', {});
  const [idA, idB] = transport.sent.slice(-2).map(({ id }) => id);
  answer(transport, 999, { who: 'nobody' });
  answer(transport, String(idA), { who: 'a text id is another id' });
  answer(transport, idB, { who: 'b' });
  answer(transport, idA, { who: 'a' });
  answer(transport, idA, { who: 'again' });
  expect(await Promise.all([first, second])).toEqual([{ who: 'a' }, { who: 'b' }]);
  expect(session.inFlight).toBe(0);
});

it('an error of the backend arrives unchanged; a result that is no object is one of ours', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  const wrong = session.request('a', {});
  const error = { code: 4711, message: 'no', data: { x: [1] } };
  transport.onmessage?.({ jsonrpc: '2.0', id: last(transport).id as number, error });
  await expect(wrong).rejects.toEqual(new WireError(error));
  await expect(wrong).rejects.toMatchObject({ error });
  const odd = session.request('b', {});
  transport.onmessage?.({ jsonrpc: '2.0', id: last(transport).id as number, result: [1] as never });
  await expect(odd).rejects.toMatchObject({ code: 'invalid_response' });
});

it('an error without an id fails the only request, but no one of two', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  const lost = { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'what?' } } as unknown as JsonRpcMessage;
  const one = session.request('a', {});
  const two = session.request('b', {});
  transport.onmessage?.(lost);
  expect(session.inFlight).toBe(2);
  answer(transport, last(transport).id, { ok: true });
  await two;
  transport.onmessage?.(lost);
  await expect(one).rejects.toBeInstanceOf(WireError);
});

it(
  verifies('E79', 'silence ends a request: the backend is told, the exchange dropped; progress keeps it alive, but not for ever'),
  async () => {
    vi.useFakeTimers();
    try {
      const transport = fakeTransport();
      const session = await open(transport);
      const progress: Json[] = [];
      const silent = session.request('a', {}).catch((error: OnemcpError) => error);
      const talking = session
        .request('b', { _meta: { kept: 1 } }, { onProgress: (params) => progress.push(params) })
        .catch((error: OnemcpError) => error);
      const { id, params } = last(transport);
      expect(params).toEqual({ _meta: { kept: 1, progressToken: id } });
      for (let elapsed = 0; elapsed < 4800; elapsed += 800) {
        await vi.advanceTimersByTimeAsync(800);
        transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: id, progress: elapsed } });
      }
      expect(await silent).toMatchObject({ code: 'timeout', message: '"fake" did not answer a within 1 s', data: { limitMs: 1000 } });
      expect(transport.sent.filter(({ method }) => method === 'notifications/cancelled')).toHaveLength(1);
      expect(transport.forgotten).toEqual([(id as number) - 1]);
      await vi.advanceTimersByTimeAsync(250);
      expect(await talking).toMatchObject({ code: 'timeout', data: { limitMs: 5000 } });
      expect(progress).toHaveLength(6);
    } finally {
      vi.useRealTimers();
    }
  },
);

it('a cancelled request is cancelled once, with our id, after it was sent', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  const cancellation = new Cancellation();
  const pending = session.request('a', {}, { signal: cancellation });
  const { id } = last(transport);
  cancellation.abort('the user is bored');
  cancellation.abort('again');
  await expect(pending).rejects.toMatchObject({ code: 'cancelled' });
  expect(transport.sent.slice(-2).map(({ method }) => method)).toEqual(['a', 'notifications/cancelled']);
  expect(last(transport).params).toEqual({ requestId: id, reason: 'the user is bored' });
  const count = transport.sent.length;
  await expect(session.request('b', {}, { signal: cancellation })).rejects.toMatchObject({ code: 'cancelled' });
  expect(transport.sent).toHaveLength(count);
});

it('answers ping itself and refuses what it cannot attribute', async () => {
  const transport = fakeTransport();
  await open(transport);
  transport.onmessage?.({ jsonrpc: '2.0', id: 'p', method: 'ping' });
  expect(last(transport)).toEqual({ jsonrpc: '2.0', id: 'p', result: {} });
  transport.onmessage?.({ jsonrpc: '2.0', id: 7, method: 'elicitation/create', params: {} });
  expect(last(transport)).toMatchObject({ id: 7, error: { code: -32601 } });
});

it('the end of the connection fails everything at once, and is told to late listeners too', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  const events: SessionEvent[] = [];
  session.subscribe((event) => events.push(event));
  const requests = [session.request('a', {}), session.request('b', {})].map((request) => request.catch((error: unknown) => error));
  const error = new OnemcpError('backend_exited', 'gone');
  transport.onclose?.(error);
  expect(await Promise.all(requests)).toEqual([error, error]);
  await expect(session.request('c', {})).rejects.toMatchObject({ code: error.code, message: error.message, data: { sent: false } });
  session.subscribe((event) => events.push(event));
  expect(events).toEqual([
    { type: 'closed', error },
    { type: 'closed', error },
  ]);
});

it('list_changed, other notifications and a replaced session become events', async () => {
  const transport = fakeTransport();
  const session = await open(transport);
  const events: SessionEvent[] = [];
  const unsubscribe = session.subscribe((event) => events.push(event));
  for (const kind of ['tools', 'prompts', 'resources'])
    transport.onmessage?.({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
  transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info' } });
  transport.onreset?.();
  unsubscribe();
  transport.onreset?.();
  expect(events).toEqual([
    { type: 'listChanged', kind: 'tools' },
    { type: 'listChanged', kind: 'prompts' },
    { type: 'listChanged', kind: 'resources' },
    { type: 'notification', method: 'notifications/message', params: { level: 'info' } },
    { type: 'reset' },
  ]);
});
