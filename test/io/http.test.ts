import { afterEach, describe, expect, it, vi } from 'vitest';
import { openHttp } from '../../src/io/transports/http.ts';
import type { Limits } from '../../src/limits.ts';
import { type Backend, type Call, start } from '../fixtures/http/index.mjs';
import { createPeer, failure, ioDeps, remoteSpec, textOf } from '../fixtures/http/peer.ts';
import { verifies } from '../support/verifies.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Settings {
  limits?: Partial<Limits>;
  headers?: Record<string, string>;
}

async function serve(fixture: string, options?: Record<string, unknown>): Promise<Backend> {
  const backend = await start(fixture, options);
  cleanups.push(backend.close);
  return backend;
}

function open(url: string, { limits, headers = {} }: Settings = {}) {
  const transport = openHttp(remoteSpec(url, { headers }), ioDeps(limits));
  cleanups.push(() => transport.close());
  return createPeer(transport);
}

async function connected(fixture: string, options?: Record<string, unknown>, settings?: Settings) {
  const backend = await serve(fixture, options);
  const peer = open(backend.url, settings);
  await peer.connect();
  return { backend, peer };
}

const until = <T>(check: () => T) => vi.waitFor(check, { timeout: 10_000, interval: 10 });
const posts = (backend: Backend, method: string) => backend.requests.filter(({ message }) => message.method === method);

describe('Streamable HTTP: ordinary answers', () => {
  it.each(['good', 'sse-answers', 'sessionless', 'sdk'])(verifies('A6', '%s serves calls'), async (fixture) => {
    const { peer } = await connected(fixture);
    expect(await peer.text('echo', { text: 'grüße' })).toBe('grüße');
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => peer.text('echo', { text: `${n}` })));
    expect(answers).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
    expect(peer.closes).toEqual([]);
  });

  it('builds its headers: version and session after initialize, configured ones, none of the reserved', async () => {
    const { backend, peer } = await connected('good', {}, { headers: { 'X-Api-Key': 'k', Accept: 'nonsense', 'Mcp-Session-Id': 'mine' } });
    await peer.text('echo');
    const [initialize] = posts(backend, 'initialize');
    const [call] = posts(backend, 'tools/call');
    expect(initialize?.headers).not.toHaveProperty('mcp-session-id');
    expect(initialize?.headers).not.toHaveProperty('mcp-protocol-version');
    expect(call?.headers).toMatchObject({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': [...backend.sessions][0],
      'x-api-key': 'k',
    });
  });

  it('sends nothing before notifications/initialized was taken', async () => {
    let release = () => {};
    const { backend, peer } = await connected('good', {
      before({ message, res }: Call) {
        if (message.method !== 'notifications/initialized') return false;
        release = () => void res.writeHead(202).end();
        return true;
      },
    });
    const answer = peer.text('echo', { text: 'a' });
    await until(() => expect(posts(backend, 'notifications/initialized')).toHaveLength(1));
    expect(posts(backend, 'tools/call')).toHaveLength(0);
    release();
    expect(await answer).toBe('a');
  });

  it('relays results and errors with every unknown field', async () => {
    const answer = { jsonrpc: '2.0', result: { content: [{ type: 'odd', x: 1 }], structuredContent: [1], 'x-y': null }, extra: true };
    const error = { code: 4711, message: 'no', data: { deep: [1] }, more: 1 };
    let id: unknown;
    const { peer } = await connected('good', {
      boom: (call: Call) => {
        id = call.message.id;
        call.json(call.message.params.arguments.fail ? { jsonrpc: '2.0', id, error } : { ...answer, id });
      },
    });
    expect(await peer.call('boom')).toEqual({ ...answer, id });
    expect(await peer.call('boom', { fail: true })).toEqual({ jsonrpc: '2.0', id, error });
  });

  it('splits an array, and gives an error without an id to the request it answers', async () => {
    const { peer } = await connected('good', {
      boom: ({ json, message, backend }: Call) => {
        if (message.params.arguments.bad) return json({ jsonrpc: '2.0', id: null, error: { code: -32600, message: 'bad' } });
        const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } };
        json([progress, { jsonrpc: '2.0', id: message.id, result: backend.text('batch') }]);
      },
    });
    expect(await peer.text('boom')).toBe('batch');
    expect(peer.messages).toMatchObject([{ message: { method: 'notifications/progress' }, origin: 2 }]);
    expect(await peer.call('boom', { bad: true })).toMatchObject({ error: { code: -32600 } });
  });

  it('delivers a JSON-RPC error in the body of an HTTP error as a message', async () => {
    const { peer } = await connected('good', {
      boom: ({ json, message }: Call) => json({ jsonrpc: '2.0', id: message.id, error: { code: -32602, message: 'bad' } }, 400),
    });
    expect(await peer.call('boom')).toMatchObject({ error: { code: -32602, message: 'bad' } });
  });
});

describe('Streamable HTTP: streams', () => {
  it('attributes messages on the stream of a request to it, and answers reach the server', async () => {
    const { peer } = await connected('upward');
    const calls = ['a', 'b', 'c'].map((tag) => peer.call('boom', { tag }));
    const asked = () => peer.messages.filter(({ message }) => message.method === 'roots/list');
    await until(() => expect(asked()).toHaveLength(3));
    for (const { message, origin } of asked()) peer.transport.send({ jsonrpc: '2.0', id: message.id!, result: { for: origin } });
    const answers = await Promise.all(calls);
    for (const [at, answer] of answers.entries()) {
      expect(JSON.parse(String(textOf(answer)))).toEqual({ tag: 'abc'[at], roots: { for: answer.id } });
    }
    const progress = peer.messages.filter(({ message }) => message.method === 'notifications/progress');
    expect(progress.map(({ origin }) => origin).sort()).toEqual(answers.map(({ id }) => id).sort());
  });

  it('delivers messages of the GET stream without an origin', async () => {
    const { backend, peer } = await connected('good');
    await until(() => expect(backend.streams.size).toBe(1));
    backend.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() =>
      expect(peer.messages).toMatchObject([{ message: { method: 'notifications/tools/list_changed' }, origin: undefined }]),
    );
  });

  it('opens a lost GET stream again, after the last event', async () => {
    const { backend, peer } = await connected('good');
    await until(() => expect(backend.streams.size).toBe(1));
    for (const stream of backend.streams) stream.write('retry: 20\n\n');
    backend.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, 'e1');
    await until(() => expect(peer.messages).toHaveLength(1));
    for (const stream of backend.streams) stream.end();
    await until(() => expect(backend.state.streamsOpened).toBe(2));
    expect(backend.requests.filter(({ method }) => method === 'GET').at(-1)?.headers['last-event-id']).toBe('e1');
    expect(peer.messages).toHaveLength(1);
  });

  it('says that lists may have changed when events were missed', async () => {
    const { backend, peer } = await connected('good');
    await until(() => expect(backend.streams.size).toBe(1));
    for (const stream of backend.streams) stream.end('retry: 20\n\n');
    await until(() => expect(peer.messages).toMatchObject([{ message: { method: 'notifications/tools/list_changed' } }]));
  });

  it.each([405, 404, 406])(verifies('A6', 'takes %i on GET for "no stream" and does not ask again'), async (status) => {
    const { backend, peer } = await connected('good', {
      before({ req, res }: Call) {
        if (req.method !== 'GET') return false;
        res.writeHead(status).end();
        return true;
      },
    });
    await until(() => expect(backend.requests.filter(({ method }) => method === 'GET')).toHaveLength(1));
    for (let n = 0; n < 10; n++) await peer.text('echo');
    expect(backend.requests.filter(({ method }) => method === 'GET')).toHaveLength(1);
    expect(backend.state.initializes).toBe(1);
  });

  it('resumes a stream that is closed in the middle of a call', async () => {
    const { backend, peer } = await connected('resumable', { rounds: 3 });
    expect(await peer.text('boom')).toBe('resumed');
    expect(backend.state.executed).toEqual(['boom']);
  });

  it('resumes against the server of the SDK', async () => {
    const { peer } = await connected('sdk');
    expect(await peer.text('poll', { text: 'later' })).toBe('later');
  });

  it('fails a request whose stream ends without an answer and cannot be resumed', async () => {
    const { peer } = await connected('good', {
      boom: ({ res }: Call) => res.writeHead(200, { 'content-type': 'text/event-stream' }).end(),
    });
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'connection_failed', data: { reason: 'stream-ended', server: 'web' } });
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
  });

  it('gives up resuming when nothing comes', async () => {
    const { peer } = await connected('good', {
      before({ req, res }: Call) {
        if (!req.headers['last-event-id']) return false;
        res.writeHead(200, { 'content-type': 'text/event-stream' }).end();
        return true;
      },
      boom: ({ res }: Call) => res.writeHead(200, { 'content-type': 'text/event-stream' }).end('retry: 1\nid: 1\ndata:\n\n'),
    });
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'connection_failed' });
  });

  it('ends a stream that a server keeps open after its answer', async () => {
    let ended = false;
    const { peer } = await connected('good', {
      boom({ res, message }: Call) {
        res.on('close', () => {
          ended = true;
        });
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: {} })}\n\n`);
      },
    });
    await peer.call('boom');
    await until(() => expect(ended).toBe(true));
  });

  it('forget aborts the exchange of a silent stream', async () => {
    const { backend, peer } = await connected('sse-silent', { get: false });
    peer.call('boom').catch(() => {});
    await until(() => expect(backend.state.executed).toEqual(['boom']));
    const before = backend.sockets.size;
    peer.transport.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: peer.lastId } });
    peer.transport.forget(peer.lastId);
    await until(() => expect(backend.state.cancelled).toEqual([peer.lastId]));
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
    await until(() => expect(backend.sockets.size).toBeLessThanOrEqual(before));
    expect(peer.closes).toEqual([]);
  });
});

describe('Streamable HTTP: a lost session', () => {
  it(verifies('D64', 'is replaced once, and each affected request is repeated once'), async () => {
    const { backend, peer } = await connected('lost-session', { boom: (call: Call) => call.reply(call.backend.text('boom')) });
    const old = [...backend.sessions][0];
    expect(await peer.text('boom')).toBe('boom');
    expect(peer.resets).toBe(1);
    expect(backend.state).toMatchObject({ initializes: 2, executed: ['boom'] });
    expect(backend.sessions.has(String(old))).toBe(false);
    expect(posts(backend, 'notifications/initialized')).toHaveLength(2);
    expect(peer.messages).toEqual([]);
  });

  it(verifies('D64', 'is replaced once for many requests at the same time'), async () => {
    const { backend, peer } = await connected('good');
    backend.sessions.clear();
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => peer.text('echo', { text: `${n}` })));
    expect(answers).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
    expect(backend.state.initializes).toBe(2);
    expect(backend.state.executed).toHaveLength(30);
    expect(peer.resets).toBe(1);
  });

  it('is recognised in the 400 of servers built after the examples of the SDK', async () => {
    let lost = false;
    const { backend, peer } = await connected('good', {
      before(call: Call) {
        if (!lost || call.message.method !== 'tools/call') return false;
        lost = false;
        call.json({ jsonrpc: '2.0', id: null, error: { code: -32000, message: 'Bad Request: No valid session ID provided' } }, 400);
        return true;
      },
    });
    lost = true;
    expect(await peer.text('echo', { text: 'again' })).toBe('again');
    expect(backend.state.initializes).toBe(2);
  });

  it('ends the connection when a new one is refused', async () => {
    const { backend, peer } = await connected('good', {
      before({ message, res, backend }: Call) {
        if (message.method !== 'initialize' || backend.state.initializes === 0) return false;
        res.writeHead(500).end();
        return true;
      },
    });
    backend.sessions.clear();
    expect(await failure(peer.call('echo'))).toMatchObject({ code: 'session_lost' });
    expect(peer.closes).toMatchObject([{ code: 'session_lost', data: { server: 'web' } }]);
  });

  it('ends the connection when the new server is another one', async () => {
    const { backend, peer } = await connected('good', {
      before({ message, backend, reply }: Call) {
        if (message.method !== 'initialize' || backend.state.initializes === 0) return false;
        reply({ protocolVersion: '2025-11-25', capabilities: { prompts: {} }, serverInfo: { name: 'other', version: '2' } });
        return true;
      },
    });
    backend.sessions.clear();
    await failure(peer.call('echo'));
    expect(peer.closes).toMatchObject([{ code: 'session_lost' }]);
  });

  it('fails a request that meets it twice', async () => {
    const { peer } = await connected('good', {
      before({ message, res }: Call) {
        if (message.params?.name !== 'boom') return false;
        res.writeHead(404).end();
        return true;
      },
    });
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'session_lost' });
    expect(peer.closes).toEqual([]);
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
  });
});

describe('Streamable HTTP: refusals', () => {
  it('401 says what to do', async () => {
    const backend = await serve('unauthorized');
    const error = await failure(open(backend.url).connect());
    expect(error).toMatchObject({ code: 'http_status', data: { server: 'web', status: 401 } });
    expect(error.message).toBe('"web" answered 401 Unauthorized: check its credentials (headers) in the configuration');
    await open(backend.url, { headers: { 'x-api-key': 'right' } }).connect();
  });

  it.each([
    ['3600', 300_000],
    ['2', 2_000],
  ])('503 with Retry-After %s', async (after, retryAfterMs) => {
    const backend = await serve('unavailable', { after });
    const error = await failure(open(backend.url).connect());
    expect(error).toMatchObject({ code: 'http_status', data: { status: 503, retryable: true, retryAfterMs } });
  });

  it.each([200, 404, 500])('a web page with status %i is called one', async (status) => {
    const backend = await serve('html', { status });
    const error = await failure(open(backend.url).connect());
    expect(error.message).toContain('this is a web page, not an MCP endpoint');
    expect(error.code).toBe(status === 200 ? 'invalid_response' : 'http_status');
  });

  it('202 to a request is not an answer', async () => {
    const { peer } = await connected('good', { boom: ({ res }: Call) => res.writeHead(202).end() });
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'invalid_response' });
  });

  it('quotes the server redacted, in one line', async () => {
    const { peer } = await connected('good', {
      boom: ({ json }: Call) => json({ jsonrpc: '2.0', id: null, error: { code: 1, message: 'bad\n\u001b[31ms3cret' } }, 422),
    });
    expect((await failure(peer.call('boom'))).message).toBe('"web" answered 422 Unprocessable Entity: bad [31m***');
  });

  it('does not follow a redirect to another origin, and no credential gets there', async () => {
    const trap = await serve('good');
    const backend = await serve('redirect', { to: `${trap.url}?token=s3cret` });
    const error = await failure(open(backend.url, { headers: { 'x-api-key': 's3cret', authorization: 'Bearer s3cret' } }).connect());
    expect(error).toMatchObject({ code: 'http_status', data: { status: 307, location: trap.origin } });
    expect(error.message).toContain(trap.origin);
    expect(error.message).not.toContain('s3cret');
    expect(trap.requests).toEqual([]);
  });

  it('follows 307 and 308 within the origin, three times', async () => {
    for (const status of [307, 308]) {
      const { peer } = await connected('redirect', { hops: 3, status });
      expect(await peer.text('echo', { text: 'moved' })).toBe('moved');
    }
    const backend = await serve('redirect', { hops: 4 });
    expect(await failure(open(backend.url).connect())).toMatchObject({ code: 'http_status', data: { status: 307 } });
    const see = await serve('redirect', { status: 302 });
    expect(await failure(open(see.url).connect())).toMatchObject({ code: 'http_status', data: { status: 302 } });
  });
});

describe('Streamable HTTP: broken and hostile servers', () => {
  const limits = { 'message.maxBytes': 1 << 20 };

  it('names a refused connection', async () => {
    const backend = await serve('good');
    await backend.close();
    const error = await failure(open(backend.url).connect());
    expect(error).toMatchObject({ code: 'connection_failed', data: { server: 'web', reason: 'connection-refused' } });
    expect(error.message).toContain('refuses connections');
  });

  it('start refuses a url and headers that cannot be used', async () => {
    expect(await failure(open('ftp://x').transport.start())).toMatchObject({ code: 'connection_failed' });
    const bad = open('http://127.0.0.1:1/', { headers: { 'x-key': 'a\nb' } });
    const error = await failure(bad.transport.start());
    expect(error.message).toContain('"x-key"');
    expect(error.message).not.toContain('a\nb');
  });

  it.each(['headers', 'body'])('a reset before the end of the %s costs only its request', async (when) => {
    const { peer } = await connected('reset', { when });
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'connection_failed', data: { reason: 'connection-lost' } });
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
    expect(peer.closes).toEqual([]);
  });

  it('a server that is gone ends the connection, once', async () => {
    const { backend, peer } = await connected('sessionless');
    await backend.close();
    const errors = await Promise.all(Array.from({ length: 5 }, () => failure(peer.call('echo'))));
    for (const error of errors) expect(error.code).toBe('connection_failed');
    await until(() => expect(peer.closes).toMatchObject([{ code: 'connection_failed' }]));
  });

  it('notices without a call that a server is gone, by its GET stream', async () => {
    const { backend, peer } = await connected('good');
    await until(() => expect(backend.streams.size).toBe(1));
    await backend.close();
    await until(() => expect(peer.closes).toMatchObject([{ code: 'connection_failed' }]));
  });

  it('truncated JSON', async () => {
    const { peer } = await connected('truncated');
    const error = await failure(peer.call('boom'));
    expect(error.code).toBe('invalid_response');
    expect(error.message).toContain('invalid JSON');
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
  });

  it('deep JSON', async () => {
    const { peer } = await connected('good', {
      boom: ({ res }: Call) => res.writeHead(200).end('['.repeat(100_000) + ']'.repeat(100_000)),
    });
    expect((await failure(peer.call('boom'))).message).toContain('deeper than 256');
  });

  it.each(['huge', 'endless-event', 'gzip-bomb'])(verifies('D67', '%s is cut off at the limit'), async (fixture) => {
    const { peer } = await connected(fixture, {}, { limits });
    expect(await failure(peer.call('boom'))).toMatchObject({ code: 'message_too_large', data: { server: 'web' } });
    expect(await peer.text('echo', { text: 'alive' })).toBe('alive');
    expect(peer.closes).toEqual([]);
  });

  it(verifies('D67', 'relays an answer of 10 MiB'), async () => {
    const { peer } = await connected('huge', { mb: 10 });
    expect(String(await peer.text('boom'))).toHaveLength(10 << 20);
  });

  it('refuses a content encoding nobody asked for', async () => {
    const { peer } = await connected('good', { boom: ({ res }: Call) => res.writeHead(200, { 'content-encoding': 'zstd' }).end('x') });
    expect((await failure(peer.call('boom'))).message).toContain('zstd');
  });

  it('close ends everything although nothing was ever answered', async () => {
    const backend = await serve('blackhole');
    const peer = open(backend.url);
    peer.connect().catch(() => {});
    await until(() => expect(backend.requests).toHaveLength(1));
    expect(backend.sockets.size).toBe(1);
    await peer.transport.close();
    await until(() => expect(backend.sockets.size).toBe(0));
    expect(peer.closes).toEqual([]);
  });

  it('close ends the session with DELETE, also one that is not answered', async () => {
    const { backend, peer } = await connected('good', { before: ({ req }: Call) => req.method === 'DELETE' });
    const running = peer.call('slow', { ms: 60_000 });
    running.catch(() => {});
    await until(() => expect(backend.state.executed).toEqual(['slow']));
    const started = performance.now();
    await Promise.all([peer.transport.close(), peer.transport.close()]);
    expect(performance.now() - started).toBeLessThan(6_000);
    expect(backend.requests.at(-1)).toMatchObject({ method: 'DELETE', headers: { 'mcp-session-id': [...backend.sessions][0] } });
    await until(() => expect(backend.sockets.size).toBe(0));
    expect(peer.closes).toEqual([]);
  });
});
