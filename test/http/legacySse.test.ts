import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';
import { callOf, rpc, serve, until } from './serverKit.ts';

type Server = Awaited<ReturnType<typeof serve>>;

const INITIALIZE = rpc('initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 't', version: '1' } }, 0);

async function openSse({ send }: Server, more: Readonly<Record<string, string>> = {}) {
  const stream = await send({ method: 'GET', path: '/sse', headers: { accept: 'text/event-stream', ...more } });
  await until(() => stream.events.length > 0);
  const path = stream.events[0]?.data as string;
  return { stream, path, post: (body: string, headers = {}) => send({ path, body, headers }) };
}

async function connect(server: Server, capabilities: Json = {}) {
  const client = await openSse(server);
  await client.post(rpc('initialize', { protocolVersion: '2024-11-05', capabilities }, 0));
  await client.post(rpc('notifications/initialized'));
  await until(() => client.stream.messages.length === 1);
  return client;
}

describe('HTTP+SSE', () => {
  it(verifies('I128', 'names where to POST, answers 202 and then on the stream'), async () => {
    const server = await serve();
    const { stream, path, post } = await openSse(server);
    expect([stream.status, stream.headers['content-type'], stream.events]).toEqual([
      200,
      'text/event-stream',
      [{ event: 'endpoint', data: expect.stringMatching(/^\/messages\?sessionId=[\w-]{43}$/), id: undefined, retry: undefined }],
    ]);
    const accepted = await post(INITIALIZE);
    await accepted.ended;
    expect([accepted.status, accepted.text]).toEqual([202, 'Accepted']);
    await post(callOf('c', {}, 'p'));
    await until(() => server.calls.length === 1);
    server.calls[0]?.options.onProgress?.({ progress: 1 });
    server.calls[0]?.answer({ content: [] });
    await until(() => stream.messages.length === 3);
    expect(stream.messages.map(({ id, method }) => id ?? method)).toEqual([0, 'notifications/progress', 'c']);
    expect(stream.messages[0]?.result.protocolVersion).toBe('2024-11-05');
    expect(stream.events.slice(1).map(({ event, id }) => [event, id])).toEqual(Array(3).fill(['message', undefined]));
    expect(path).not.toContain((await openSse(server)).path);
  });

  it(verifies(['I128', 'E82'], 'the end of the stream is the end of the session, and cancels its calls'), async () => {
    const server = await serve();
    const { stream, post } = await connect(server);
    for (const id of [1, 2]) await post(callOf(id));
    await until(() => server.calls.length === 2);
    expect([server.sessions.size, server.context.clients.size]).toEqual([1, 1]);
    stream.drop();
    await until(() => server.sessions.size === 0);
    expect([server.calls.map(({ options }) => options.signal?.aborted), server.context.clients.size]).toEqual([[true, true], 0]);
    expect((await post(rpc('ping', {}, 1))).status).toBe(404);
  });

  it('a client is asked on its stream, and its answer arrives', async () => {
    const server = await serve();
    const { stream, post } = await connect(server, { roots: {} });
    const [known] = server.context.clients;
    const answer = known?.ask('roots/list', {}, { signal: new AbortController().signal, timeoutMs: 5_000 });
    await until(() => stream.messages.length === 2);
    await post(JSON.stringify({ jsonrpc: '2.0', id: stream.messages[1]?.id, result: { roots: [] } }));
    expect(await answer).toEqual({ roots: [] });
  });

  it('a client is told of changed lists like all others', async () => {
    const server = await serve();
    const { stream } = await connect(server);
    server.set(viewOf('a', { session: server.backend, items: { tools: [tool('t2')] } }));
    server.sessions.announce(new Set(['tools']));
    await until(() => stream.messages.length === 2);
    expect(stream.messages[1]?.method).toBe('notifications/tools/list_changed');
  });

  it('a second initialize is refused on the stream, and a request before the first is', async () => {
    const server = await serve();
    const { stream, post } = await openSse(server);
    for (const body of [rpc('tools/list', {}, 'early'), INITIALIZE, INITIALIZE]) await post(body);
    await until(() => stream.messages.length === 3);
    expect(stream.messages.map(({ id, error }) => [id, error?.code])).toEqual([
      ['early', -32600],
      [0, undefined],
      [0, -32600],
    ]);
  });

  it('a shutdown ends the streams', async () => {
    const server = await serve();
    const { stream } = await connect(server);
    server.sessions.closeAll();
    await stream.ended;
    expect([server.sessions.size, server.context.clients.size]).toEqual([0, 0]);
  });

  it('works for the official client of that transport', async () => {
    const server = await serve();
    const client = new Client({ name: 'test', version: '1' }, { capabilities: { roots: {} } });
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///work' }] }));
    await client.connect(new SSEClientTransport(new URL(`${server.url}/sse`)));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['a__t']);
    const result = client.callTool({ name: 'a__t' });
    await until(() => server.calls.length === 1);
    const [known] = server.context.clients;
    const asked = await known?.ask('roots/list', {}, { signal: new AbortController().signal, timeoutMs: 5_000 });
    server.calls[0]?.answer({ content: [] });
    expect([asked, await result]).toEqual([{ roots: [{ uri: 'file:///work' }] }, { content: [] }]);
    await client.close();
    await until(() => server.sessions.size === 0);
  });
});

describe('what HTTP+SSE refuses', () => {
  const status = async (sent: Parameters<Server['send']>[0], limits = {}) => (await (await serve(limits)).send(sent)).status;

  it.each([
    ['no session id', { path: '/messages', body: INITIALIZE }, 400],
    ['an unknown session', { path: `/messages?sessionId=${'x'.repeat(43)}`, body: INITIALIZE }, 404],
    ['GET of /messages', { method: 'GET', path: '/messages' }, 405],
    ['POST to /sse', { path: '/sse', body: INITIALIZE }, 405],
    ['HEAD of /sse', { method: 'HEAD', path: '/sse' }, 405],
    ['an Accept without event streams', { method: 'GET', path: '/sse', headers: { accept: 'application/json' } }, 406],
    ['a foreign Host', { method: 'GET', path: '/sse', headers: { host: 'evil.example' } }, 403],
    ['a foreign Origin', { method: 'GET', path: '/sse', headers: { origin: 'http://evil.example' } }, 403],
    ['a foreign Host of a POST', { path: '/messages?sessionId=x', headers: { host: 'evil.example' }, body: '{}' }, 403],
    ['a foreign Origin of a POST', { path: '/messages?sessionId=x', headers: { origin: 'null' }, body: '{}' }, 403],
  ])(verifies('I115', '%s'), async (_, sent, expected) => {
    expect(await status(sent)).toBe(expected);
  });

  it('a body that is too large, too deep, no JSON, no message, or of another type', async () => {
    const server = await serve({ 'http.bodyBytes': 1_000, 'http.jsonDepth': 10 });
    const { stream, post } = await openSse(server);
    const deep = `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(20)}1${'}'.repeat(20)}}`;
    const bodies: [string, Record<string, string>?][] = [
      ['x'.repeat(1_001)],
      [deep],
      ['{'],
      ['{}'],
      [INITIALIZE, { 'content-type': 'text/plain' }],
    ];
    const answers = await Promise.all(bodies.map(([body, headers]) => post(body, headers)));
    expect(answers.map((answer) => answer.status)).toEqual([413, 400, 400, 400, 415]);
    expect(stream.messages).toEqual([]);
  });

  it('sessions beyond session.max, of either kind', async () => {
    const server = await serve({ 'session.max': 2 });
    await server.open();
    const { stream } = await openSse(server);
    expect((await server.send({ method: 'GET', path: '/sse' })).status).toBe(429);
    expect((await server.send({ body: INITIALIZE })).status).toBe(429);
    stream.drop();
    await until(() => server.sessions.size === 1);
    expect((await server.send({ method: 'GET', path: '/sse' })).status).toBe(200);
  });

  it('new sessions while it drains', async () => {
    const server = await serve();
    server.setWorld({ ...server.context.world(), phase: 'draining' });
    const answer = await server.send({ method: 'GET', path: '/sse' });
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
  });

  it('requests beyond session.maxInFlight, on the stream', async () => {
    const server = await serve({ 'session.maxInFlight': 1 });
    const { stream, post } = await connect(server);
    await post(callOf('runs'));
    await until(() => server.calls.length === 1);
    await post(callOf('more'));
    await until(() => stream.messages.length === 2);
    expect([stream.messages[1]?.id, stream.messages[1]?.error.code]).toEqual(['more', -32603]);
  });

  it('ids of the other transport, both ways', async () => {
    const server = await serve();
    const [client, { path }] = [await server.open(), await openSse(server)];
    const id = path.split('=')[1] as string;
    expect((await server.send({ path: `/messages?sessionId=${client.session}`, body: INITIALIZE })).status).toBe(404);
    expect((await server.send({ headers: { 'mcp-session-id': id }, body: rpc('ping', {}, 1) })).status).toBe(404);
  });

  it('says where it is when something else is asked for', async () => {
    const { send } = await serve();
    const answer = await send({ method: 'GET', path: '/nothing' });
    await answer.ended;
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('/sse')]);
  });
});

it('HTTP+SSE that is turned off is not found, and not offered; the other transport is', async () => {
  const { send, open } = await serve({}, { legacySse: false });
  const answers = [
    await send({ method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } }),
    await send({ path: '/sse', body: INITIALIZE }),
    await send({ path: '/messages?sessionId=x', body: INITIALIZE }),
  ];
  await Promise.all(answers.map(({ ended }) => ended));
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  expect(answers[0]?.text).toContain('there are /mcp, /health, /openapi.json"');
  expect((await open()).session).toMatch(/^[\w-]{43}$/);
});
