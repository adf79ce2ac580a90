import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createGateway, type Gateway } from '../../src/gateway.ts';
import { verifies } from '../support/verifies.ts';

let gateway: Gateway;
let port: number;

beforeAll(async () => {
  const settings = {
    port: 0,
    trustedHosts: ['gw.example'],
    allowedOrigins: ['https://app.example'],
    http: { bodyBytes: '64KiB', jsonDepth: 32 },
  };
  const text = JSON.stringify({ mcpServers: {}, gateway: settings });
  const loaded = await loadConfig({ file: '<test>', text, env: {}, secrets: { read: async () => '' } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
  gateway = createGateway({ config: loaded.config });
  ({ port } = await gateway.listen());
});
afterAll(() => gateway.close());

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}
interface Got {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** A request with just these headers: fetch would not let us lie about Host. */
const viaSocket = ({ method = 'POST', path = '/mcp', headers = {}, body }: Sent): Promise<Got> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode as number, headers: answer.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });

/** The same through the app, as a library user would mount it. */
const viaFetch = async ({ method = 'POST', path = '/mcp', headers = {}, body }: Sent): Promise<Got> => {
  const { host = 'localhost:3050', ...rest } = headers;
  const answer = await gateway.fetch(new Request(`http://${host}${path}`, { method, headers: rest, ...(body !== undefined && { body }) }));
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
};

const JSON_TYPE = { 'content-type': 'application/json' };
const rpc = (method: string, params: object = {}, id: unknown = 1) => JSON.stringify({ jsonrpc: '2.0', id, method, params });
const INITIALIZE = rpc('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } });

describe.each([
  ['a socket', viaSocket],
  ['fetch', viaFetch],
])('/mcp through %s', (_, send) => {
  const open = async () => String((await send({ headers: JSON_TYPE, body: INITIALIZE })).headers['mcp-session-id']);
  const code = ({ body }: Got) => (JSON.parse(body) as { error: { code: number } }).error.code;

  it('initialises: the version asked for, a session id of 32 random bytes', async () => {
    const { status, headers, body } = await send({ headers: JSON_TYPE, body: INITIALIZE });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ id: 1, result: { protocolVersion: '2025-06-18', serverInfo: { name: 'onemcp' } } });
    expect(headers['mcp-session-id']).toMatch(/^[\w-]{43}$/);
  });

  it.each(['2026-07-28', '1999-01-01'])(verifies('A3', 'answers the unknown version %s with its newest'), async (protocolVersion) => {
    const { body } = await send({ headers: JSON_TYPE, body: rpc('initialize', { protocolVersion }) });
    expect(JSON.parse(body).result.protocolVersion).toBe('2025-11-25');
  });

  it.each([
    ['a foreign Host', { headers: { ...JSON_TYPE, host: 'evil.example' }, body: INITIALIZE }, 403],
    ['a name that only begins like loopback', { headers: { ...JSON_TYPE, host: '127.0.0.1.nip.io' }, body: INITIALIZE }, 403],
    ['a trusted Host', { headers: { ...JSON_TYPE, host: 'GW.example:8080' }, body: INITIALIZE }, 200],
    ['IPv6 loopback', { headers: { ...JSON_TYPE, host: '[::1]:3050' }, body: INITIALIZE }, 200],
    ['a foreign Origin', { headers: { ...JSON_TYPE, origin: 'http://evil.example' }, body: INITIALIZE }, 403],
    ['the Origin null', { headers: { ...JSON_TYPE, origin: 'null' }, body: INITIALIZE }, 403],
    [
      'an Origin that only begins like loopback',
      { headers: { ...JSON_TYPE, origin: 'http://localhost.evil.example' }, body: INITIALIZE },
      403,
    ],
    ['a loopback Origin', { headers: { ...JSON_TYPE, origin: 'http://localhost:6274' }, body: INITIALIZE }, 200],
    ['an allowed Origin', { headers: { ...JSON_TYPE, origin: 'https://app.example' }, body: INITIALIZE }, 200],
    ['another content type', { headers: { 'content-type': 'text/plain' }, body: INITIALIZE }, 415],
    ['a content type that only begins right', { headers: { 'content-type': 'application/jsonp' }, body: INITIALIZE }, 415],
    ['a content type with a parameter', { headers: { 'content-type': 'Application/JSON; charset=utf-8' }, body: INITIALIZE }, 200],
    ['a compressed body', { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: INITIALIZE }, 415],
    ['an Accept that allows neither', { headers: { ...JSON_TYPE, accept: 'text/html' }, body: INITIALIZE }, 406],
    ['an Accept of JSON only', { headers: { ...JSON_TYPE, accept: 'application/json' }, body: INITIALIZE }, 200],
    ['a body over the limit', { headers: JSON_TYPE, body: rpc('ping', { fill: 'x'.repeat(70_000) }) }, 413],
    ['no session id', { headers: JSON_TYPE, body: rpc('ping') }, 400],
    ['an unknown session id', { headers: { ...JSON_TYPE, 'mcp-session-id': 'x'.repeat(43) }, body: rpc('ping') }, 404],
    ['the method PUT', { method: 'PUT', headers: JSON_TYPE, body: INITIALIZE }, 405],
    ['GET without a session', { method: 'GET', headers: { accept: 'text/event-stream' } }, 400],
    ['GET without event streams', { method: 'GET', headers: { accept: 'application/json' } }, 406],
    ['DELETE of an unknown session', { method: 'DELETE', headers: { 'mcp-session-id': 'nope' } }, 404],
    ['another path', { path: '/nothing', headers: JSON_TYPE, body: INITIALIZE }, 404],
  ] as const)(verifies(['I115', 'I118', 'I124'], '%s'), async (_name, sent, status) => {
    const got = await send(sent as Sent);
    expect(got.status).toBe(status);
    if (status === 405) expect(got.headers.allow).toBe('GET, POST, DELETE');
  });

  it.each([
    ['no JSON', '{', -32700],
    ['too deep', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`, -32700],
    ['a batch', `[${rpc('ping')}]`, -32600],
    ['an empty batch', '[]', -32600],
    ['no version', '{"id":1,"method":"ping"}', -32600],
    ['the id null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ['a fractional id', '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
    ['params that are no object', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600],
  ])(verifies(['I123', 'I124'], '%s is 400 with a JSON-RPC error'), async (_name, body, expected) => {
    const got = await send({ headers: JSON_TYPE, body });
    expect([got.status, code(got)]).toEqual([400, expected]);
  });

  it(verifies('I126', 'in a session: ping, an unknown method, notifications, a second initialize, the end'), async () => {
    const headers = { ...JSON_TYPE, 'mcp-session-id': await open() };
    expect(JSON.parse((await send({ headers, body: rpc('ping', {}, 'a') })).body)).toEqual({ jsonrpc: '2.0', id: 'a', result: {} });
    const unknown = await send({ headers, body: rpc('no/such') });
    expect([unknown.status, code(unknown)]).toEqual([200, -32601]);
    const note = await send({ headers, body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' });
    expect([note.status, note.body]).toEqual([202, '']);
    const response = await send({ headers, body: '{"jsonrpc":"2.0","id":9,"result":{}}' });
    expect(response.status).toBe(202);
    const again = await send({ headers, body: INITIALIZE });
    expect([again.status, code(again)]).toEqual([400, -32600]);
    const version = await send({ headers: { ...headers, 'mcp-protocol-version': 'garbage' }, body: rpc('ping') });
    expect(version.status).toBe(400);
    expect((await send({ method: 'DELETE', headers })).status).toBe(204);
    expect((await send({ headers, body: rpc('ping') })).status).toBe(404);
  });

  it('no servers: empty lists, not errors', async () => {
    const headers = { ...JSON_TYPE, 'mcp-session-id': await open() };
    expect(JSON.parse((await send({ headers, body: rpc('tools/list') })).body).result).toEqual({ tools: [] });
    const cursor = await send({ headers, body: rpc('tools/list', { cursor: 'forged' }) });
    expect(code(cursor)).toBe(-32602);
  });
});

it('health is open to every probe, whatever its Host; nothing else is', async () => {
  const headers = { host: '10.1.2.3:3050' };
  for (const path of ['/health', '/health/live', '/health/ready']) {
    expect((await viaSocket({ method: 'GET', path, headers })).status, path).toBe(200);
  }
  expect((await viaSocket({ method: 'GET', path: '/nothing', headers })).status).toBe(403);
});

it('two requests in one connection, one of them malformed, get their own answers', async () => {
  const bad = await viaSocket({ headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked', 'content-length': '5' }, body: '{}' }).catch(
    () => undefined,
  );
  expect(bad === undefined || bad.status === 400).toBe(true);
  expect((await viaSocket({ headers: JSON_TYPE, body: INITIALIZE })).status).toBe(200);
});

it('a probe of HTTP/1.0 that names no host is answered, and gets nothing else', async () => {
  const statuses = [];
  for (const path of ['/health/live', '/health', '/openapi.json', '/mcp']) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += chunk;
    statuses.push(Number(text.split(' ')[1]));
    expect(text).not.toContain('details');
  }
  expect(statuses).toEqual([200, 200, 403, 403]);
});
