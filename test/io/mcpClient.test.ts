import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openMcp } from '../../src/io/mcpClient.ts';
import type { Json, JsonRpcMessage } from '../../src/world.ts';
import { until } from '../e2e/gateway.ts';

interface Asked {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly message: JsonRpcMessage;
  readonly answer: ServerResponse;
}

/** An endpoint that opens sessions, and leaves every other request to the test. */
async function endpoint(onAsked: (asked: Asked) => void) {
  const seen: Asked[] = [];
  const server = createServer(async (incoming, answer) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const message = (text === '' ? {} : JSON.parse(text)) as JsonRpcMessage;
    const asked = { method: String(incoming.method), headers: incoming.headers, message, answer };
    seen.push(asked);
    if (message.method === 'initialize') reply(asked, { protocolVersion: '2025-11-25', capabilities: {} }, { 'mcp-session-id': 's' });
    else if (incoming.method === 'POST' && (message.id === undefined || message.method === undefined)) answer.writeHead(202).end();
    else if (incoming.method === 'DELETE') answer.writeHead(204).end();
    else onAsked(asked);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  const client = await openMcp({ place: { url, headers: { 'x-own': '1' } }, version: 't' });
  return { client, seen, server };
}

function reply({ message, answer }: Asked, result: Json, headers = {}) {
  answer.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
}

const stream = ({ answer }: Asked) => answer.writeHead(200, { 'content-type': 'text/event-stream' });
const event = (id: string, data?: object) => `id: ${id}\ndata: ${data ? JSON.stringify({ jsonrpc: '2.0', ...data }) : ''}\n\n`;

describe('a session', () => {
  it('says who it is, in every message and until its end', async () => {
    const { client, seen } = await endpoint((asked) => reply(asked, { ok: true }));
    expect(await client.request('tools/list', {})).toEqual({ ok: true });
    await client.close();
    expect(seen.map(({ method, message }) => [method, message.method])).toEqual([
      ['POST', 'initialize'],
      ['POST', 'notifications/initialized'],
      ['POST', 'tools/list'],
      ['DELETE', undefined],
    ]);
    expect(seen[0]?.message.params?.clientInfo).toEqual({ name: 'onemcp-cli', version: 't' });
    for (const { headers } of seen.slice(1)) {
      expect(headers).toMatchObject({ 'mcp-session-id': 's', 'mcp-protocol-version': '2025-11-25', 'x-own': '1' });
    }
  });

  it('ends although the endpoint has gone', async () => {
    const { client, server } = await endpoint(() => {});
    server.close();
    await client.close();
    expect(server.listening).toBe(false);
  });
});

describe('a request', () => {
  it('is told of its own progress only, and answers what it is asked', async () => {
    const { client, seen } = await endpoint((asked) => {
      const id = asked.message.id as number;
      const notify = (progressToken: unknown) => event('1', { method: 'notifications/progress', params: { progressToken, progress: 1 } });
      stream(asked).write(notify(id) + notify('other') + event('2', { id: 'p', method: 'ping' }));
      asked.answer.end(event('3', { id, method: 'elicitation/create', params: {} }) + event('4', { id, result: { done: true } }));
    });
    const progress: Json[] = [];
    expect(await client.request('tools/call', {}, { onProgress: (params) => void progress.push(params) })).toEqual({ done: true });
    expect(progress).toHaveLength(1);
    await until(
      'both are answered',
      () => seen.filter(({ message }) => message.id !== undefined && message.method === undefined).length === 2,
    );
    expect(seen.flatMap(({ message }) => (message.method === undefined && message.id !== undefined ? [message] : []))).toEqual([
      { jsonrpc: '2.0', id: 'p', result: {} },
      { jsonrpc: '2.0', id: expect.any(Number), error: { code: -32601, message: 'onemcp-cli cannot answer elicitation/create' } },
    ]);
  });

  it('comes back for the rest of a stream that ended or broke', async () => {
    let id: unknown;
    const { client, seen } = await endpoint((asked) => {
      if (asked.method === 'POST') {
        id = asked.message.id;
        stream(asked).end(`retry: 5\n${event('1')}`);
      } else if (asked.headers['last-event-id'] === '1') {
        stream(asked).write(event('2', { method: 'notifications/message', params: {} }), () => asked.answer.destroy());
      } else stream(asked).end(event('3', { id, result: { late: true } }));
    });
    expect(await client.request('tools/call', {})).toEqual({ late: true });
    expect(seen.filter(({ method }) => method === 'GET').map(({ headers }) => headers['last-event-id'])).toEqual(['1', '2']);
  });

  const gone = 'the gateway went away before it had answered; whether the request was carried out is not known';

  it.each<[what: string, misbehave: (asked: Asked) => void, message: string | RegExp]>([
    ['a connection that breaks', ({ answer }) => void answer.destroy(), gone],
    ['a stream that breaks', (asked) => void stream(asked).write(': hello\n\n', () => asked.answer.destroy()), gone],
    ['JSON that breaks', ({ answer }) => void answer.writeHead(200, { 'content-length': 9 }).write('{', () => answer.destroy()), gone],
    ['what is no JSON', ({ answer }) => void answer.writeHead(200).end('<html>'), 'what answers there is not an MCP server'],
    [
      'JSON of somebody else',
      ({ answer }) => void answer.writeHead(200).end('{"id":99,"result":{}}'),
      'what answers there is not an MCP server',
    ],
    ['a plain HTTP error', ({ answer }) => void answer.writeHead(502).end('bad'), 'it answered with HTTP 502'],
    ['a redirect', ({ answer }) => void answer.writeHead(302, { location: '/' }).end(), 'it answered with HTTP 302'],
    ['an error without an id', ({ answer }) => void answer.writeHead(403).end('{"id":null,"error":{"code":1,"message":"no"}}'), /^no$/],
    [
      'a session that is over',
      ({ answer }) => void answer.writeHead(404).end('{"id":null,"error":{"code":1,"message":"x"}}'),
      'was restarted',
    ],
    ['an error of its own', ({ answer, message }) => void answer.end(`{"id":${message.id},"error":{"code":1,"message":"own"}}`), /^own$/],
  ])('fails by %s', async (_, misbehave, message) => {
    const { client } = await endpoint(misbehave);
    await expect(client.request('tools/call', {})).rejects.toThrow(message);
  });

  it('that is aborted is cancelled, and fails with the reason', async () => {
    const { client, seen } = await endpoint((asked) => void stream(asked).write(event('1')));
    const aborter = new AbortController();
    const request = client.request('tools/call', {}, { signal: aborter.signal });
    await until('it is under way', () => seen.some(({ message }) => message.method === 'tools/call'));
    aborter.abort(new Error('enough'));
    await expect(request).rejects.toThrow('enough');
    const { id } = seen.find(({ message }) => message.method === 'tools/call')?.message ?? {};
    expect(seen.at(-1)?.message).toMatchObject({ method: 'notifications/cancelled', params: { requestId: id, reason: 'enough' } });
  });
});

describe('an endpoint that is not there', () => {
  it('is named', async () => {
    const opening = openMcp({ place: { url: new URL('http://127.0.0.1:1/mcp') }, version: 't' });
    await expect(opening).rejects.toThrow(/^nothing answers at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
  });

  it('is looked for at every socket', async () => {
    const opening = openMcp({ place: { sockets: ['/nowhere/a.sock', '/nowhere/b.sock'] }, version: 't' });
    await expect(opening).rejects.toMatchObject({
      message: 'looked at /nowhere/a.sock, /nowhere/b.sock',
      data: { reason: 'no-gateway' },
    });
  });

  it('is not waited for by one who has left', async () => {
    const server = createServer(() => {});
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
    const opening = openMcp({ place: { url }, version: 't', signal: AbortSignal.abort(new Error('left')) });
    await expect(opening).rejects.toThrow('left');
  });
});
