/** Which connection to a backend a client uses, and what that one declares. */
import { describe, expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import { elicits } from '../../src/mcp/capabilities.ts';
import type { Instance, Json } from '../../src/world.ts';
import {
  type FakeBackend,
  type FakeGatewayOptions,
  fakeClient,
  fakeGateway,
  fakeSession,
  flush,
  tool,
  viewOf,
} from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const withTool = (patch: FakeBackend) => viewOf('a', { items: { tools: [tool('t')] }, ...patch });
const gatewayWith = (patch: FakeBackend, options?: FakeGatewayOptions) => fakeGateway([withTool(patch)], options);
const call = { name: 'a__t' };
const rich = { elicitation: {}, sampling: {}, roots: { listChanged: true } };
const initialize = (capabilities: Json) => ({ protocolVersion: '2025-11-25', capabilities });
const specOf = (isolation: BackendSpec['isolation']) => ({ name: 'a', isolation }) as BackendSpec;

/** The ids of the instances that a call of a client with these capabilities wants. */
async function wanted(patch: FakeBackend, capabilities: Json, options?: FakeGatewayOptions): Promise<Instance[]> {
  const gateway = gatewayWith(patch, options);
  void fakeClient(gateway, initialize(capabilities)).request('tools/call', call);
  await flush();
  return gateway.needed;
}

describe('a shared stdio backend', () => {
  it.each(['auto', 'shared'] as const)('%s has one connection for all', async (isolation) => {
    expect(await wanted({ isolation }, rich)).toEqual([]);
  });
  it('declares nothing, because nothing on it could be attributed', () => {
    const { context } = gatewayWith({});
    expect(context.connections.declare(specOf('auto'), undefined)).toEqual({ capabilities: {} });
  });
});

it('a shared backend on HTTP+SSE is like one on a pipe', async () => {
  expect(await wanted({ kind: 'remote', attributes: false }, rich)).toEqual([]);
});

describe('a shared remote backend', () => {
  it('has one connection for each class of capabilities', async () => {
    const gateway = gatewayWith({ kind: 'remote' });
    for (const capabilities of [rich, rich, { elicitation: { form: {}, url: {} } }, {}, { unknown: {} }]) {
      void fakeClient(gateway, initialize(capabilities)).request('tools/call', call);
    }
    await flush();
    expect(gateway.needed.map(({ id }) => id)).toEqual(['a@elicitation.form+sampling+roots', 'a@elicitation.form+elicitation.url']);
    expect(gateway.needed.map(({ capabilities }) => capabilities)).toEqual([
      { elicitation: {}, sampling: {}, roots: {} },
      { elicitation: { form: {}, url: {} } },
    ]);
    const [instance] = gateway.needed as [Instance];
    expect(gateway.context.connections.declare(specOf('auto'), instance).owner).toBeUndefined();
  });

  it('shares its first connection when there are too many', async () => {
    const gateway = gatewayWith({ kind: 'remote' }, { limits: { 'instance.max': 1 } });
    void fakeClient(gateway, initialize({ sampling: {} })).request('tools/call', call);
    await flush();
    expect((await fakeClient(gateway, initialize(rich)).ask('tools/call', call)).error).toBeUndefined();
    expect(gateway.needed).toHaveLength(1);
    await fakeClient(gateway, initialize(rich)).ask('tools/call', call);
    expect(gateway.logged).toEqual(['backend.instances_full']);
  });

  it('carries the extensions that we know, or that the configuration lets through to it', async () => {
    const extensions = { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html'] }, 'com.acme/x': { a: 1 }, 'com.acme/y': {} };
    const [instance] = await wanted({ kind: 'remote' }, { extensions }, { extensions: { 'com.acme/x': 'a', 'com.acme/y': 'b' } });
    expect(instance?.capabilities).toEqual({
      extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html'] }, 'com.acme/x': { a: 1 } },
    });
  });
});

describe('isolation by session', () => {
  it('gives every client a connection of its own, with just what it declared, from its first call on', async () => {
    const gateway = gatewayWith({ isolation: 'session' });
    const client = fakeClient(gateway, initialize({ ...rich, experimental: { x: {} } }));
    await client.ask('tools/list');
    await client.ask('ping');
    await client.ask('logging/setLevel', { level: 'info' });
    expect(gateway.needed).toEqual([]);
    const answer = client.ask('tools/call', call);
    await flush();
    const id = client.session.client.id;
    expect(gateway.needed).toEqual([{ id: `a@${id}`, backend: 'a', key: id, client: id, capabilities: rich }]);
    const session = fakeSession({ answer: () => ({ content: [], own: true }) });
    gateway.setInstance(gateway.needed[0] as Instance, { isolation: 'session', session });
    expect((await answer).result).toMatchObject({ own: true });
    await client.ask('tools/call', call);
    expect(session.received.map(({ method }) => method)).toEqual(['tools/call', 'tools/call']);
    expect(gateway.needed).toHaveLength(1);
    client.session.close();
    expect(gateway.released).toEqual([`a@${id}`]);
  });

  it('says whose the connection is', async () => {
    const gateway = gatewayWith({ isolation: 'session' });
    const client = fakeClient(gateway, initialize(rich));
    void client.request('tools/call', call);
    await flush();
    const { owner } = gateway.context.connections.declare(specOf('session'), gateway.needed[0]);
    owner?.notify('notifications/message', { level: 'info', data: 'hello' });
    expect(client.sent).toMatchObject([{ method: 'notifications/message', params: { data: 'hello' } }]);
  });

  it('refuses the client that would be one too many, until another has left', async () => {
    const gateway = gatewayWith({ isolation: 'session' }, { limits: { 'instance.max': 1, callWait: 0 } });
    const [first, second] = [fakeClient(gateway), fakeClient(gateway)];
    await first.ask('tools/call', call);
    expect((await second.ask('tools/call', call)).result).toMatchObject({
      isError: true,
      _meta: { 'dev.onemcp/error': { reason: 'too-many-instances', retryable: true } },
    });
    first.session.close();
    await second.ask('tools/call', call);
    expect(gateway.needed).toHaveLength(2);
  });

  it('wants a connection anew that is just being ended', async () => {
    const gateway = gatewayWith({ isolation: 'session' }, { limits: { callWait: 0 } });
    const client = fakeClient(gateway);
    await client.ask('tools/call', call);
    gateway.setInstance(gateway.needed[0] as Instance, { state: 'stopping' });
    await client.ask('tools/call', call);
    expect(gateway.needed).toHaveLength(2);
  });

  it('ends a connection that was not used for long, unless something keeps it', async () => {
    let now = 0;
    const gateway = gatewayWith({ isolation: 'session' }, { now: () => now, limits: { 'instance.idle': 1000, callWait: 0 } });
    const client = fakeClient(gateway);
    await client.ask('tools/call', call);
    const instance = gateway.needed[0] as Instance;
    const session = fakeSession({ capabilities: { tools: {}, resources: { subscribe: true } } });
    gateway.setInstance(instance, { session });
    await gateway.context.subscriptions.add(client.session.client, 'x:y', { session, connection: instance.id, uri: 'x:y' });
    now = 1001;
    gateway.context.connections.sweep();
    expect(gateway.released).toEqual([]);
    await gateway.context.subscriptions.remove(client.session.client, instance.id, 'x:y');
    gateway.context.connections.sweep();
    expect(gateway.released).toEqual([instance.id]);
  });
});

describe('isolation by principal', () => {
  it('shares a connection among the sessions of one principal', async () => {
    const gateway = gatewayWith({ isolation: 'principal' });
    for (let client = 0; client < 2; client++) void fakeClient(gateway, initialize(rich)).request('tools/call', call);
    await flush();
    expect(gateway.needed.map(({ id, capabilities }) => [id, capabilities])).toEqual([['a@anonymous', {}]]);
  });
});

describe('the sole client', () => {
  it.each(['auto', 'session'] as const)('owns the first connection (%s)', async (isolation) => {
    const gateway = gatewayWith({ isolation }, { sole: true });
    const client = fakeClient(gateway, initialize(rich));
    await client.ask('tools/call', call);
    expect(gateway.needed).toEqual([]);
    const { capabilities, owner } = gateway.context.connections.declare(specOf(isolation), undefined);
    expect(capabilities).toEqual(rich);
    owner?.notify('notifications/message', { level: 'info' });
    expect(client.sent).toHaveLength(1);
  });
});

describe('a change of roots', () => {
  it(verifies('F91', 'is told only to connections of that client that know of it'), async () => {
    const gateway = gatewayWith({ isolation: 'session' });
    const [own, others, base] = [fakeSession(), fakeSession(), fakeSession()];
    gateway.set(withTool({ isolation: 'session', session: base }));
    const [client, other] = [fakeClient(gateway, initialize(rich)), fakeClient(gateway, initialize(rich))];
    for (const each of [client, other]) void each.request('tools/call', call);
    await flush();
    const [first, second] = gateway.needed as [Instance, Instance];
    gateway.setInstance(first, { session: { ...own, declared: first.capabilities } });
    gateway.setInstance(second, { session: { ...others, declared: second.capabilities } });
    client.session.notification({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    expect(own.notified).toEqual(['notifications/roots/list_changed']);
    expect(others.notified).toEqual([]);
    expect(base.notified).toEqual([]);
  });
});

it('an empty elicitation capability means forms', () => {
  expect(
    [{}, { elicitation: {} }, { elicitation: { form: {} } }, { elicitation: { url: {} } }].map((each) => elicits(each, 'form')),
  ).toEqual([false, true, true, false]);
});
