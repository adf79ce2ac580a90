import { request } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { createApp } from '../../src/http/app.ts';
import { createHostGuard } from '../../src/http/guard/host.ts';
import type { HealthDetails } from '../../src/http/health.ts';
import { listen } from '../../src/http/server.ts';
import { createSessions } from '../../src/http/sessions.ts';
import { createStreams } from '../../src/http/streams.ts';
import { health } from '../../src/observe/health.ts';
import type { World } from '../../src/world.ts';
import { fakeGateway, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const VITALS = { version: '1.2.3', uptime: 61.5, heapUsed: 1, heapTotal: 2, rss: 3, now: 0, transport: 'http' } as const;
const ISSUE = { file: 'mcp.json', line: 3, column: 5, message: 'a key nobody knows' };
const WORLD = worldOf([
  viewOf('billing'),
  viewOf('ledger', { state: 'retrying', lastError: new OnemcpError('timeout', 'ledger is slow') }),
]);
const REJECTED: World = { ...WORLD, config: { ...WORLD.config, lastError: { at: 0, issues: [ISSUE] } } };

/** The routes of health on a real socket, and a probe that sees status, headers and body. */
async function serve({ details = 'auto', world = WORLD }: { details?: HealthDetails; world?: World } = {}) {
  const { context, methods, onBug } = fakeGateway([]);
  const { limits } = context;
  const streams = createStreams({ keepAlive: 60_000, queueBytes: 1024 });
  const sessions = createSessions({ limits, now: context.now, streams });
  const explain = (name: string) => {
    if (name !== 'ledger') throw new OnemcpError('unknown_server', `there is no server "${name}"`);
    return { name, path: [] };
  };
  const facts = { world: () => world, health: () => health(world, { ...VITALS, problems: ['the disk is full'] }), details, explain };
  const guard = createHostGuard({ trustedHosts: ['mcp.example.com'], allowedOrigins: [] });
  const app = createApp({ guard, mcp: { context, methods, sessions, streams, onBug }, legacySse: true, health: facts });
  const server = await listen({ fetch: app.fetch as never, express: () => false, host: '127.0.0.1', port: 0, limits });
  onTestFinished(() => server.close(0));
  return (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
      request({ port: server.port, path, headers, method, agent: false }, async (answer) => {
        let text = '';
        for await (const chunk of answer) text += chunk;
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
      })
        .on('error', reject)
        .end();
    });
}

describe('what health tells of single servers', () => {
  const strangers: [who: string, headers: Record<string, string>][] = [
    ['a probe that names a pod address', { host: '10.1.2.3:3050' }],
    ['a page that rebound a name', { host: 'evil.example' }],
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['somebody behind a proxy', { 'x-forwarded-for': '203.0.113.7' }],
    ['somebody behind a standard proxy', { forwarded: 'for=203.0.113.7' }],
  ];

  it.each(strangers)(verifies('health-details', '%s gets counts, no names, no texts, no places'), async (_, headers) => {
    const probe = await serve({ world: REJECTED });
    const { status, text } = await probe('/health', headers);
    const body = JSON.parse(text);
    expect([status, body.status, body.servers]).toEqual([200, 'degraded', { total: 2, healthy: 1, unhealthy: 1 }]);
    expect(body.configuration.lastError).toEqual({ at: '1970-01-01T00:00:00.000Z', count: 1 });
    expect(text).not.toMatch(/billing|ledger|slow|mcp\.json|nobody knows|disk/);
    expect((await probe('/health?explain=ledger', headers)).status).toBe(403);
  });

  it.each([{}, { host: 'localhost' }, { host: 'mcp.example.com' }])('a program of this machine gets everything (%o)', async (headers) => {
    const probe = await serve({ world: REJECTED });
    const { text } = await probe('/health', headers as Record<string, string>);
    expect(JSON.parse(text)).toMatchObject({
      servers: { details: [{ name: 'billing' }, { name: 'ledger', lastError: 'ledger is slow' }] },
      configuration: { lastError: { issues: ['mcp.json:3:5: a key nobody knows'] } },
      problems: ['the disk is full'],
    });
  });

  it.each([
    ['full', strangers[0]?.[1] ?? {}, true],
    ['minimal', {}, false],
  ] as const)('%s is the same for everybody', async (details, headers, told) => {
    const probe = await serve({ details });
    expect('details' in JSON.parse((await probe('/health', headers)).text).servers).toBe(told);
    expect((await probe('/health?explain=ledger', headers)).status).toBe(told ? 200 : 403);
  });
});

it(verifies('health-explain', 'explain tells the story of one server, whatever the state of the whole, and knows no others'), async () => {
  const probe = await serve({ world: worldOf([viewOf('ledger', { state: 'failed' })]) });
  const [whole, story, unknown] = await Promise.all(
    ['/health', '/health?explain=ledger', '/health?explain=nobody'].map((path) => probe(path)),
  );
  expect([whole?.status, story?.status, unknown?.status]).toEqual([503, 200, 404]);
  expect([JSON.parse(story?.text ?? ''), JSON.parse(unknown?.text ?? '')]).toEqual([
    { name: 'ledger', path: [] },
    { error: 'there is no server "nobody"' },
  ]);
});

it('its headers say status, version and uptime, to HEAD as well, and nothing is cached', async () => {
  const probe = await serve();
  for (const method of ['GET', 'HEAD']) {
    const { headers } = await probe('/health', {}, method);
    expect(headers).toMatchObject({
      'x-health-status': 'degraded',
      'x-service-version': '1.2.3',
      'x-uptime-seconds': '61',
      'cache-control': 'no-store',
    });
  }
});
