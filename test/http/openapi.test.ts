import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { createHostGuard } from '../../src/http/guard/host.ts';
import { openApi } from '../../src/http/openapi.ts';
import { createSessions } from '../../src/http/sessions.ts';
import { createStreams } from '../../src/http/streams.ts';
import { health } from '../../src/observe/health.ts';
import { fakeGateway, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const VITALS = { version: '1.2.3', uptime: 61.5, heapUsed: 1, heapTotal: 2, rss: 3, now: 0, transport: 'http' } as const;
const WORLD = worldOf([viewOf('a'), viewOf('b', { state: 'retrying', retryAt: 5, failures: 2 })], { disabled: ['c'] });

function appOf(legacySse: boolean) {
  const { context, methods, onBug } = fakeGateway([]);
  const streams = createStreams({ keepAlive: 60_000, queueBytes: 1024 });
  const sessions = createSessions({ limits: context.limits, now: context.now, streams });
  const facts = { world: () => WORLD, health: () => health(WORLD, VITALS), details: 'auto' as const, explain: () => ({}) };
  const guard = createHostGuard({ trustedHosts: [], allowedOrigins: [] });
  return createApp({ guard, mcp: { context, methods, sessions, streams, onBug }, legacySse, health: facts });
}

/** `GET /health` and so on: what the application routes, but for what refuses. */
const routed = (app: ReturnType<typeof appOf>): string[] =>
  app.routes
    .filter(({ method, path }) => method !== 'ALL' && !path.includes('*'))
    .map(({ method, path }) => `${method} ${path === '/' ? path : path.replace(/\/$/, '')}`)
    .sort();
const described = (document: object): string[] =>
  Object.entries((document as { paths: Record<string, object> }).paths)
    .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();

describe.each([true, false])('the OpenAPI document (legacySse: %s)', (legacySse) => {
  const document = openApi({ version: '1.2.3', legacySse });

  it(verifies('openapi', 'is one by the schema of OpenAPI 3.1'), async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect([valid, errors]).toEqual([true, undefined]);
  });

  it('has every route of the application, and no other', () => {
    expect(described(document)).toEqual([...new Set(routed(appOf(legacySse)))]);
  });

  it('is served', async () => {
    const answer = await appOf(legacySse).request('http://localhost/openapi.json');
    expect(await answer.json()).toMatchObject({ openapi: '3.1.0', info: { title: 'onemcp' } });
  });
});

it.each([
  ['Health', '/health', {}],
  ['Health', '/health', { host: '10.0.0.1' }],
  ['Live', '/health/live', {}],
  ['Ready', '/health/ready', {}],
  ['RpcError', '/mcp', { host: 'evil.example' }],
])('its schema %s holds for what %s answers (%o)', async (name, path, headers) => {
  const { components } = openApi({ version: '1', legacySse: true }) as { components: object };
  const ajv = new Ajv.default({ strict: false, validateFormats: false });
  const validate = ajv.compile({ $ref: `#/components/schemas/${name}`, components });
  const answer = await appOf(true).request(`http://localhost${path}`, { headers: headers as Record<string, string> });
  const body = (await answer.json()) as object;
  validate(body);
  expect([validate.errors, Object.keys(body).length > 0]).toEqual([null, true]);
});
