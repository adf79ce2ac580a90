import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RemoteBackendSpec } from '../../src/config/config.ts';
import { openRemote } from '../../src/io/transports/remote.ts';
import { type Backend, type Call, start } from '../fixtures/http/index.mjs';
import { createPeer, failure, ioDeps, remoteSpec } from '../fixtures/http/peer.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(fixture: string, options?: Record<string, unknown>): Promise<Backend> {
  const backend = await start(fixture, options);
  cleanups.push(backend.close);
  return backend;
}

function open(url: string, type: RemoteBackendSpec['type'], changed: Partial<RemoteBackendSpec> = {}) {
  const transport = openRemote(remoteSpec(url, { type, ...changed }), ioDeps());
  cleanups.push(() => transport.close());
  return createPeer(transport);
}

const until = <T>(check: () => T) => vi.waitFor(check, { timeout: 10_000, interval: 10 });

describe('legacy HTTP+SSE', () => {
  it('serves calls, and sends the configured headers with every request', async () => {
    const backend = await serve('legacy-sse');
    const peer = open(backend.url, 'sse', { headers: { 'x-api-key': 'k' } });
    await peer.connect();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => peer.text('echo', { text: `${n}` })));
    expect(answers).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
    for (const { headers } of backend.requests) expect(headers['x-api-key']).toBe('k');
    backend.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() =>
      expect(peer.messages).toMatchObject([{ message: { method: 'notifications/tools/list_changed' }, origin: undefined }]),
    );
  });

  it('refuses an endpoint of another origin', async () => {
    const trap = await serve('good');
    const backend = await serve('legacy-sse', { endpoint: `${trap.url}?sessionId=` });
    const error = await failure(open(backend.url, 'sse').transport.start());
    expect(error).toMatchObject({ code: 'connection_failed', data: { reason: 'endpoint' } });
    expect(error.message).toContain(trap.origin);
    expect(trap.requests).toEqual([]);
  });

  it('ends with its stream', async () => {
    const backend = await serve('legacy-sse');
    const peer = open(backend.url, 'sse');
    await peer.connect();
    const running = failure(peer.call('slow', { ms: 60_000 }));
    await until(() => expect(backend.state.executed).toEqual(['slow']));
    for (const stream of backend.streams) stream.end();
    expect(await running).toMatchObject({ code: 'connection_failed', data: { reason: 'stream-ended' } });
    expect(peer.closes).toHaveLength(1);
  });

  it('fails a request whose POST is refused', async () => {
    const backend = await serve('legacy-sse', {
      before({ message, res }: Call) {
        if (message.params?.name !== 'boom') return false;
        res.writeHead(429, { 'retry-after': '1' }).end();
        return true;
      },
    });
    const peer = open(backend.url, 'sse');
    await peer.connect();
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'http_status', data: { status: 429, retryAfterMs: 1_000 } });
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
  });

  it('start fails: refused, credentials, no stream, silence, closed meanwhile', async () => {
    const gone = await serve('good');
    await gone.close();
    expect(await failure(open(gone.url, 'sse').transport.start())).toMatchObject({ code: 'connection_failed' });
    const locked = await serve('unauthorized');
    expect(await failure(open(locked.url, 'sse').transport.start())).toMatchObject({ code: 'http_status', data: { status: 401 } });
    const page = await serve('html');
    expect(await failure(open(page.url, 'sse').transport.start())).toMatchObject({ code: 'invalid_response' });
    const silent = await serve('blackhole');
    const slow = open(silent.url, 'sse', { startTimeout: 50 }).transport;
    expect(await failure(slow.start())).toMatchObject({ data: { reason: 'no-answer' } });
    await slow.close();
    const { transport } = open(silent.url, 'sse');
    const starting = failure(transport.start());
    await transport.close();
    expect(await starting).toMatchObject({ code: 'connection_failed' });
    await until(() => expect(silent.sockets.size).toBe(0));
  });
});

describe('type auto', () => {
  it('stays with Streamable HTTP where it is spoken', async () => {
    const backend = await serve('good');
    const peer = open(backend.url, 'auto');
    await peer.connect();
    expect(await peer.text('echo', { text: 'a' })).toBe('a');
    expect(backend.state.initializes).toBe(1);
  });

  it.each([400, 404, 405, 406, 415])('falls back to HTTP+SSE when initialize is answered %i', async (post) => {
    const backend = await serve('legacy-sse', { post });
    const peer = open(backend.url, 'auto');
    expect(await peer.connect()).toMatchObject({ id: 1, result: { serverInfo: { name: 'fixture' } } });
    expect(await peer.text('echo', { text: 'old' })).toBe('old');
    expect(peer.closes).toEqual([]);
    await peer.transport.close();
    await until(() => expect(backend.sockets.size).toBe(0));
  });

  it.each([401, 403, 500, 503])('%i is no evidence for HTTP+SSE', async (post) => {
    const backend = await serve('legacy-sse', { post });
    expect(await failure(open(backend.url, 'auto').connect())).toMatchObject({ code: 'http_status', data: { status: post } });
    expect(backend.requests.every(({ method }) => method === 'POST')).toBe(true);
  });

  it('a JSON-RPC error that answers initialize is an answer', async () => {
    const backend = await serve('good', {
      before({ json, message }: Call) {
        json({ jsonrpc: '2.0', id: message.id, error: { code: -32602, message: 'Unsupported protocol version' } }, 400);
        return true;
      },
    });
    expect(await open(backend.url, 'auto').connect()).toMatchObject({ error: { code: -32602 } });
    expect(backend.requests.every(({ method }) => method === 'POST')).toBe(true);
  });

  it('reports the first refusal when neither is spoken', async () => {
    const backend = await serve('html', { status: 404 });
    const error = await failure(open(backend.url, 'auto').connect());
    expect(error).toMatchObject({ code: 'http_status', data: { status: 404 } });
    expect(error.message).toContain('no HTTP+SSE endpoint either');
  });
});
