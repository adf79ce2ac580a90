import { request } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { createHostGuard } from '../../src/http/guard/host.ts';
import { clientAddress, createProxies, plainAddress, type RequestHeaders } from '../../src/http/guard/proxies.ts';
import { listen } from '../../src/http/server.ts';
import { createSessions } from '../../src/http/sessions.ts';
import { createStreams } from '../../src/http/streams.ts';
import { health } from '../../src/observe/health.ts';
import { fakeGateway, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const TRUSTED = ['loopback', '10.0.0.0/8', '2001:db8:1::/48', '192.0.2.7'];
const PEER = '10.0.0.2';
const of = (headers: RequestHeaders, peer = PEER, trusted: readonly string[] = TRUSTED) =>
  clientAddress(peer, headers, createProxies(trusted));

describe('the address of a client', () => {
  it.each<[what: string, headers: RequestHeaders, peer: string, client: string | undefined]>([
    ['is that of the connection', {}, '203.0.113.7', '203.0.113.7'],
    ['is that of a proxy that says nothing', {}, PEER, PEER],
    ['is what the proxy says', { 'x-forwarded-for': '203.0.113.7' }, PEER, '203.0.113.7'],
    ['may be IPv6', { 'x-forwarded-for': '2001:DB8:2::9' }, '2001:db8:1::1', '2001:db8:2::9'],
    ['is that within a mapped one', { 'x-forwarded-for': '::ffff:203.0.113.7' }, '::ffff:10.0.0.2', '203.0.113.7'],
    ['comes through several proxies', { 'x-forwarded-for': '203.0.113.7, 192.0.2.7, 127.0.0.1' }, PEER, '203.0.113.7'],
    ['is the right-most that is not trusted', { 'x-forwarded-for': '127.0.0.1, 203.0.113.7, 10.9.9.9' }, PEER, '203.0.113.7'],
    ['is the first where all are trusted', { 'x-forwarded-for': '10.0.0.9, 10.0.0.8' }, PEER, '10.0.0.9'],
    ['may come with a port', { 'x-forwarded-for': '203.0.113.7:4711' }, PEER, '203.0.113.7'],
    ['is in Forwarded', { forwarded: 'for=203.0.113.7;proto=https, For="10.0.0.3"' }, PEER, '203.0.113.7'],
    ['is in Forwarded, as IPv6 with a port', { forwarded: 'proto=https;for="[2001:db8:2::9]:4711"' }, PEER, '2001:db8:2::9'],
    ['is in both, and the same', { forwarded: 'for=203.0.113.7', 'x-forwarded-for': '203.0.113.7' }, PEER, '203.0.113.7'],
    ['is unknown when both contradict each other', { forwarded: 'for=203.0.113.7', 'x-forwarded-for': '127.0.0.1' }, PEER, undefined],
    ['is unknown when the proxy says only that it is one', { via: '1.1 x' }, PEER, undefined],
    ['is unknown when somebody forwards whom nobody trusts', { 'x-forwarded-for': '127.0.0.1' }, '203.0.113.7', undefined],
    ['is unknown when this machine forwards, and is not trusted', { 'x-forwarded-for': '127.0.0.1' }, '192.0.2.8', undefined],
    ['is unknown when it is hidden', { forwarded: 'for=_hidden' }, PEER, undefined],
    ['is unknown when it is garbage', { 'x-forwarded-for': '<script>' }, PEER, undefined],
    ['is unknown when it is empty', { 'x-forwarded-for': '' }, PEER, undefined],
    ['is unknown when a trusted one follows garbage', { 'x-forwarded-for': 'garbage, 10.0.0.3' }, PEER, undefined],
    ['is unknown when a quote would hide what the proxy adds', { forwarded: '", for=127.0.0.1, for=203.0.113.7' }, PEER, undefined],
    ['is unknown when a quote is not closed', { forwarded: 'for="127.0.0.1, for=203.0.113.7' }, PEER, undefined],
    ['is unknown when a quote takes what follows it', { forwarded: 'for="127.0.0.1, for="[2001:db8:2::9]"' }, PEER, undefined],
  ])(verifies('trusted-proxies', '%s'), (_, headers, peer, client) => {
    expect(of(headers, peer)).toBe(client);
  });

  it('knows networks of this machine and private ones by a word', () => {
    const isTrusted = (word: string, address: string) => createProxies([word])?.isTrusted(address);
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) expect(isTrusted('loopback', address), address).toBe(true);
    for (const address of ['10.1.1.1', '172.31.0.1', '192.168.1.1', '::ffff:10.0.0.1', 'fd00::1']) {
      expect(isTrusted('private', address), address).toBe(true);
      expect(isTrusted('loopback', address), address).toBe(false);
    }
    for (const address of ['172.32.0.1', '203.0.113.7', '2001:db8::1', '127.0.0.1', ''])
      expect(isTrusted('private', address), address).toBe(false);
    expect(isTrusted('::ffff:10.0.0.0/104', '10.1.1.1')).toBe(true);
    expect(isTrusted('fe80::/10', 'fe80::1%eth0')).toBe(true);
    expect(createProxies([])).toBeUndefined();
  });

  it('is an address or nothing, whatever the headers say, and never one left of one that is not trusted', () => {
    const garbage = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[for="\\,;:[\]. 0-9]*$/),
      fc.constantFrom('127.0.0.1', 'for=127.0.0.1', 'for="', '"', 'unknown'),
    );
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 5 }), fc.constantFrom('x-forwarded-for', 'forwarded'), (parts, name) => {
        const left = parts.join(', ');
        const alone = of({ [name]: left });
        expect(alone === undefined || plainAddress(alone) === alone).toBe(true);
        const own = name === 'forwarded' ? 'for=203.0.113.7' : '203.0.113.7';
        expect([undefined, '203.0.113.7']).toContain(of({ [name]: `${left}, ${own}` }));
      }),
      { numRuns: 3_000 },
    );
  });
});

const NAME = 'mcp.example.com';

/** The routes on a real socket, which trusts this machine or not. */
async function serve(trustedProxies: readonly string[]) {
  const { context, methods, onBug } = fakeGateway([]);
  const { limits } = context;
  const world = worldOf([viewOf('billing')]);
  const streams = createStreams({ keepAlive: 60_000, queueBytes: 1024 });
  const sessions = createSessions({ limits, now: context.now, streams });
  const proxies = createProxies(trustedProxies);
  const vitals = { version: '1', uptime: 1, heapUsed: 1, heapTotal: 1, rss: 1, now: 0, transport: 'http' } as const;
  const facts = { world: () => world, health: () => health(world, vitals), details: 'auto' as const, explain: () => ({}), proxies };
  const guard = createHostGuard({ trustedHosts: [NAME], allowedOrigins: [], proxies });
  const mcp = { context, methods, sessions, streams, onBug };
  const app = createApp({ guard, mcp, legacySse: true, publicUrl: `https://${NAME}/tools`, health: facts });
  const server = await listen({ fetch: app.fetch as never, express: () => false, host: '127.0.0.1', port: 0, limits });
  onTestFinished(() => {
    streams.endAll();
    return server.close(0);
  });
  return (path: string, headers: Record<string, string | string[]> = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const asked = request({ port: server.port, path, headers, agent: false }, async (answer) => {
        let text = '';
        for await (const chunk of answer) {
          text += chunk;
          if (path === '/sse') asked.destroy();
        }
        resolve({ status: answer.statusCode ?? 0, text });
      });
      asked.on('error', (error) => path === '/sse' || reject(error)).end();
    });
}

it.each<[who: string, headers: Record<string, string | string[]>, trusting: boolean, untrusting: boolean]>([
  ['a program of this machine', {}, true, true],
  ['another machine behind the proxy', { 'x-forwarded-for': '203.0.113.7' }, false, false],
  ['this machine behind the proxy', { 'x-forwarded-for': '127.0.0.1' }, true, false],
  ['another machine that claims to be this one', { 'x-forwarded-for': ['127.0.0.1', '203.0.113.7'] }, false, false],
  ['this machine by a foreign name', { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'evil.example' }, false, false],
  ['a page that rebound a name', { host: 'evil.example', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': NAME }, false, false],
])('%s: whether health tells details, with and without trust in the proxy', async (_, headers, trusting, untrusting) => {
  const details = async (trusted: readonly string[]) => (await (await serve(trusted))('/health', headers)).text.includes('billing');
  expect([await details(['loopback']), await details([])]).toEqual([trusting, untrusting]);
});

it.each<[what: string, headers: Record<string, string>, trusting: number, untrusting: number]>([
  ['the name by which the client called, behind an address', { host: '10.0.0.11:3050', 'x-forwarded-host': NAME }, 200, 403],
  ['the same in Forwarded', { host: '10.0.0.11:3050', forwarded: `for=203.0.113.7;host="${NAME}:443"` }, 200, 403],
  ['another name behind an address', { host: '10.0.0.11:3050', 'x-forwarded-host': 'evil.example' }, 403, 403],
  ['another name behind a trusted one', { host: NAME, 'x-forwarded-host': 'evil.example' }, 403, 200],
  ['a trusted name behind another one', { host: 'evil.example', 'x-forwarded-host': NAME }, 403, 403],
  ['the nearest of several', { host: NAME, 'x-forwarded-host': `evil.example, ${NAME}` }, 200, 200],
  ['two that contradict each other', { host: NAME, 'x-forwarded-host': NAME, forwarded: 'host=evil.example' }, 403, 200],
  ['an empty one', { host: NAME, 'x-forwarded-host': '' }, 403, 200],
  ['none', { host: NAME, 'x-forwarded-for': '203.0.113.7' }, 200, 200],
])('the guard looks at %s', async (_, headers, trusting, untrusting) => {
  const status = async (trusted: readonly string[]) => (await (await serve(trusted))('/openapi.json', headers)).status;
  expect([await status(['loopback']), await status([])]).toEqual([trusting, untrusting]);
});

it('below a path of the proxy, the document names the public address and the old transport a place beside itself', async () => {
  const ask = await serve([]);
  expect(JSON.parse((await ask('/openapi.json')).text).servers).toEqual([{ url: `https://${NAME}/tools` }]);
});
