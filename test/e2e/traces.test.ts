import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { type Collector, collector, type Received } from '../support/collector.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, type Running, startGateway, type TestClient, textOf, until, untilState } from './gateway.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const SECRET = 'sesame-open-the-door';
const ARGUMENT = 'what-only-the-tool-may-know';

const servers = { tells: fixture('tells-meta', { API_TOKEN: SECRET }) };
const at = (there: Collector, more: Json = {}): Json => ({ traces: { endpoint: there.url, delay: '20ms', ...more } });

async function tracing(there: Collector, more: Json = {}): Promise<{ running: Running; client: TestClient }> {
  const running = await startGateway(servers, at(there, more));
  await untilState(running, 'tells', 'connected');
  return { running, client: await connect(running.url) };
}

const found = (there: Collector, name: string, kind: number): Promise<Received> =>
  until(`there is a span ${name}`, () => there.spans.find((span) => span.name === name && span.kind === kind));
const metaOf = async (client: TestClient, meta?: Json): Promise<Json> =>
  JSON.parse(textOf(await client.call('tells__meta', {}, meta))) as Json;

/** A call with HTTP headers of its own. */
const post = (url: string, { session }: TestClient, headers: Record<string, string>) =>
  fetch(`${url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', 'mcp-session-id': session, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 77, method: 'tools/call', params: { name: 'tells__meta', arguments: {} } }),
  });
const metaIn = async (answer: Response): Promise<Json> => {
  const { result } = (await answer.json()) as { result: { content: { text: string }[] } };
  return JSON.parse(result.content[0]?.text as string) as Json;
};

describe('traces of a running gateway', () => {
  it(verifies('traces', 'lead from the client through the gateway to the backend'), async () => {
    const there = await collector();
    const { client } = await tracing(there);
    const meta = { traceparent: PARENT, tracestate: 'vendor=1', baggage: 'user=7', 'x/y': [1] };
    const seen = await metaOf(client, meta);
    const front = await found(there, 'tools/call tells__meta', 2);
    const sent = await found(there, 'tools/call meta', 3);

    expect(front).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, traceState: 'vendor=1' });
    expect(sent).toMatchObject({ traceId: TRACE, parentSpanId: front.spanId });
    expect(seen).toMatchObject({ ...meta, traceparent: `00-${TRACE}-${sent.spanId}-01` });
    expect(front.attributes).toMatchObject({
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'tells__meta',
      'mcp.protocol.version': '2025-11-25',
      'mcp.session.id': expect.stringMatching(/^[\da-f]{16}$/),
      'jsonrpc.request.id': expect.any(String),
      'onemcp.server': 'tells',
    });
    expect(sent.attributes).toMatchObject({ 'gen_ai.tool.name': 'meta', 'onemcp.server': 'tells' });
    expect(front.took).toBeGreaterThanOrEqual(sent.took);
    expect(front.resource).toMatchObject({ 'service.name': 'onemcp', 'service.instance.id': expect.any(String) });
    // The handshake is a request as well, in a trace of its own.
    expect((await found(there, 'initialize', 2)).traceId).not.toBe(TRACE);
  });

  it(verifies('traces', 'continue what comes in HTTP headers; _meta wins, and what is no context begins a new trace'), async () => {
    const there = await collector();
    const { running, client } = await tracing(there);
    const other = '11111111111111111111111111111111';
    const headers = { traceparent: `00-${other}-${SPAN}-01`, tracestate: 'a=b' };
    const fromHeaders = await metaIn(await post(running.url, client, headers));
    expect(fromHeaders).toMatchObject({ traceparent: expect.stringContaining(other), tracestate: 'a=b' });
    const initialized = await fetch(`${running.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', traceparent: `00-${'2'.repeat(32)}-${SPAN}-01` },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {} } }),
    });
    expect(initialized.status).toBe(200);
    await until('its handshake is there', () => there.spans.some((span) => span.name === 'initialize' && span.traceId === '2'.repeat(32)));

    expect((await metaOf(client, { traceparent: PARENT })).traceparent).toContain(TRACE);
    for (const traceparent of ['00-1-2-01', `00-${'0'.repeat(32)}-${SPAN}-01`, `ff-${TRACE}-${SPAN}-01`]) {
      const fresh = await metaOf(client, { traceparent, tracestate: 'a=b' });
      expect(fresh.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
      expect(fresh.traceparent).not.toContain(TRACE);
      expect(fresh.tracestate).toBeUndefined();
    }
  });

  it(verifies('traces', 'are not sent when their sender does not keep them, but handed on'), async () => {
    const there = await collector();
    const { running, client } = await tracing(there);
    const seen = await metaOf(client, { traceparent: `00-${TRACE}-${SPAN}-00` });
    expect(seen.traceparent).toMatch(new RegExp(`^00-${TRACE}-[\\da-f]{16}-00$`));
    expect(seen.traceparent).not.toContain(SPAN);
    await running.stop();
    expect(there.spans.length).toBeGreaterThan(0);
    expect(there.spans.filter(({ traceId }) => traceId === TRACE)).toEqual([]);
  });

  it(verifies('traces', 'say which error it was, and never an argument, a text of a server or a secret'), async () => {
    const there = await collector();
    const { running, client } = await tracing(there, { headers: { Authorization: `Bearer ${SECRET}` } });
    await client.call('tells__echo', { text: ARGUMENT });
    await client.call('tells__fails', { text: ARGUMENT });
    await client.call('tells__refuses', { text: ARGUMENT });
    await client.call('unknown__tool', { text: ARGUMENT });
    await client.request('resources/read', { uri: `tells://user:${SECRET}@x/y?key=${SECRET}` });
    await running.stop();

    const errorOf = (name: string, kind: number) =>
      there.spans.find((span) => span.name === name && span.kind === kind)?.attributes['error.type'];
    expect(errorOf('tools/call tells__echo', 2)).toBeUndefined();
    expect([errorOf('tools/call tells__fails', 2), errorOf('tools/call fails', 3)]).toEqual(['tool_error', 'tool_error']);
    expect([errorOf('tools/call tells__refuses', 2), errorOf('tools/call refuses', 3)]).toEqual(['-32050', '-32050']);
    expect(errorOf('tools/call unknown__tool', 2)).toBe('unknown_tool');
    expect(errorOf('resources/read', 2)).toBe('unknown_resource');
    const refused = there.spans.find(({ name }) => name === 'tools/call refuses');
    expect(refused).toMatchObject({ status: { code: 2 }, attributes: { 'rpc.response.status_code': '-32050' } });
    expect(there.headers[0]?.authorization).toBe(`Bearer ${SECRET}`);
    const all = there.bodies.join();
    for (const hidden of [ARGUMENT, SECRET, client.session]) expect(all).not.toContain(hidden);
    expect(JSON.stringify(running.logs)).not.toContain(SECRET);
  });

  it(verifies('traces', 'show each start of a server, and each reading of the configuration'), async () => {
    const there = await collector();
    const bad = fixture('exit-on-init', { API_TOKEN: SECRET });
    const running = await startGateway({ ...servers, bad }, at(there));
    const good = await found(there, 'backend start tells', 1);
    expect(good).toMatchObject({ attributes: { 'onemcp.server': 'tells', 'onemcp.state': 'connected' }, parentSpanId: undefined });
    expect(good.took).toBeGreaterThan(0);
    const failed = await found(there, 'backend start bad', 1);
    expect(failed).toMatchObject({ status: { code: 2 }, attributes: { 'error.type': 'backend_exited' } });
    const config = { mcpServers: { tells: fixture('tells-meta', { CHANGED: '1' }) }, gateway: at(there) };
    writeFileSync(join(running.folder, 'mcp.json'), JSON.stringify(config));
    const reload = await found(there, 'config reload', 1);
    expect(reload.attributes).toEqual({ 'onemcp.reload.result': 'applied' });
    const again = await until('its successor starts', () =>
      there.spans.find(
        ({ name, attributes }) =>
          name === 'backend start tells' && attributes['onemcp.generation'] !== good.attributes['onemcp.generation'],
      ),
    );
    expect(again.attributes['onemcp.state']).toBe('connected');
    expect(there.bodies.join()).not.toContain(SECRET);
  });

  it(verifies('traces', 'are nobody’s hindrance: without a receiver calls go on, it is said once, and the end comes in time'), async () => {
    const there = await collector();
    there.answers(404);
    const { running, client } = await tracing(there);
    const warnings = () => running.logs.filter(({ event }) => event === 'traces.failed');
    for (let n = 0; n < 5; n++) expect(textOf(await client.call('tells__echo', { n }))).toBe(`{"n":${n}}`);
    await until('it was tried twice', () => there.bodies.length >= 2);
    await client.call('tells__echo');
    await until('it was tried again', () => there.bodies.length >= 3);
    expect(warnings().map(({ level, message }) => [level, message])).toEqual([['warn', expect.stringContaining('(status 404)')]]);
    there.answers(200);
    await client.call('tells__echo');
    await until('it arrives', () => there.spans.length > 0 && running.logs.some(({ event }) => event === 'traces.sent'));

    const nowhere = await startGateway(servers, { traces: { endpoint: 'http://127.0.0.1:1/v1/traces', delay: '20ms' } });
    await untilState(nowhere, 'tells', 'connected');
    const another = await connect(nowhere.url);
    expect(textOf(await another.call('tells__echo', { a: 1 }))).toBe('{"a":1}');
    const began = performance.now();
    expect(await nowhere.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(8_000);
  });

  it(verifies('traces-off', 'hands on what _meta says of a trace as it is'), async () => {
    const running = await startGateway(servers);
    await untilState(running, 'tells', 'connected');
    const client = await connect(running.url);
    const meta = { traceparent: '00-1-2-01', tracestate: 'a=b', baggage: 'c=d' };
    const { progressToken: _, ...seen } = await metaOf(client, meta);
    expect(seen).toEqual(meta);
    const { progressToken: __, ...none } = await metaIn(await post(running.url, client, { traceparent: PARENT }));
    expect(none).toEqual({});
  });
});
