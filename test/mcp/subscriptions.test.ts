import { describe, expect, it } from 'vitest';
import { WireError } from '../../src/errors.ts';
import {
  deferred,
  type FakeSession,
  type FakeSessionOptions,
  fakeClient,
  fakeGateway,
  fakeSession,
  flush,
  viewOf,
} from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const CAPABILITIES = { resources: { subscribe: true } };
const subscribable = (options: FakeSessionOptions = {}) => fakeSession({ capabilities: CAPABILITIES, ...options });
const viewWith = (session: FakeSession) => viewOf('a', { session, items: { resources: [{ uri: 'test://x' }, { uri: 'test://dir' }] } });
const said = ({ received }: FakeSession) => received.map(({ method, params }) => `${method.replace('resources/', '')} ${params?.uri}`);
const updates = (client: ReturnType<typeof fakeClient>) => client.sent.map(({ params }) => params?.uri);
const changed = (session: FakeSession, uri: string) =>
  session.emit({ type: 'notification', method: 'notifications/resources/updated', params: { uri } });
const URI = 'test://a/x';

function setUp(options?: FakeSessionOptions) {
  const session = subscribable(options);
  const gateway = fakeGateway([], {});
  gateway.set(viewWith(session));
  return { session, gateway, a: fakeClient(gateway), b: fakeClient(gateway) };
}

describe('a subscription', () => {
  it(verifies('H105', 'is told to the backend once for all clients, and ends with the last one'), async () => {
    const { session, a, b } = setUp();
    await a.ask('resources/subscribe', { uri: URI });
    await a.ask('resources/subscribe', { uri: URI });
    await b.ask('resources/subscribe', { uri: URI });
    changed(session, 'test://x');
    expect([updates(a), updates(b)]).toEqual([[URI], [URI]]);
    await a.ask('resources/unsubscribe', { uri: URI });
    changed(session, 'test://x');
    expect([updates(a), updates(b)]).toEqual([[URI], [URI, URI]]);
    expect(said(session)).toEqual(['subscribe test://x']);
    await b.ask('resources/unsubscribe', { uri: URI });
    expect(said(session)).toEqual(['subscribe test://x', 'unsubscribe test://x']);
  });

  it(verifies('H106', 'that the backend refuses is an error, and the next client asks it again'), async () => {
    let refuse = true;
    const { session, a, b } = setUp({ answer: () => (refuse ? Promise.reject(new WireError({ code: -32000, message: 'full' })) : {}) });
    expect((await a.ask('resources/subscribe', { uri: URI })).error).toMatchObject({ code: -32000, message: 'full' });
    refuse = false;
    expect((await b.ask('resources/subscribe', { uri: URI })).error).toBeUndefined();
    expect(said(session)).toEqual(['subscribe test://x', 'subscribe test://x']);
    changed(session, 'test://x');
    expect([updates(a), updates(b)]).toEqual([[], [URI]]);
  });

  it(verifies('H107', 'comes back with its backend, with one update'), async () => {
    const { gateway, session, a, b } = setUp();
    await a.ask('resources/subscribe', { uri: URI });
    await b.ask('resources/subscribe', { uri: URI });
    gateway.set({ ...viewWith(session), state: 'retrying', session: undefined });
    const again = subscribable();
    gateway.set(viewWith(again));
    await flush();
    expect(said(again)).toEqual(['subscribe test://x']);
    expect([updates(a), updates(b)]).toEqual([[URI], [URI]]);
    again.emit({ type: 'reset' });
    await flush();
    expect(said(again)).toEqual(['subscribe test://x', 'subscribe test://x']);
    expect([updates(a), updates(b)]).toEqual([
      [URI, URI],
      [URI, URI],
    ]);
  });

  it(verifies('H108', 'covers what is below its resource, and nothing beside it'), async () => {
    const { session, a, b } = setUp();
    await a.ask('resources/subscribe', { uri: 'test://a/dir' });
    await b.ask('resources/subscribe', { uri: URI });
    changed(session, 'test://dir/file');
    changed(session, 'test://directory');
    changed(session, 'test://nobody');
    expect([updates(a), updates(b)]).toEqual([['test://a/dir/file'], []]);
  });

  it('tells a client once that holds both a resource and the one above it', async () => {
    const { gateway, session, a } = setUp();
    gateway.set(viewOf('a', { session, items: { resources: [{ uri: 'test://dir' }, { uri: 'test://dir/file' }] } }));
    await a.ask('resources/subscribe', { uri: 'test://a/dir' });
    await a.ask('resources/subscribe', { uri: 'test://a/dir/file' });
    changed(session, 'test://dir/file');
    expect(updates(a)).toEqual(['test://a/dir/file']);
  });

  it('ends with the session of its client', async () => {
    const { session, a } = setUp();
    await a.ask('resources/subscribe', { uri: URI });
    a.session.close();
    await flush();
    expect(said(session)).toEqual(['subscribe test://x', 'unsubscribe test://x']);
  });

  it('of a client that leaves while the backend is being asked is taken back', async () => {
    const asked = deferred<object>();
    const { session, a } = setUp({ answer: ({ method }) => (method === 'resources/subscribe' ? (asked.promise as Promise<never>) : {}) });
    void a.request('resources/subscribe', { uri: URI });
    await flush();
    a.session.close();
    asked.resolve({});
    await flush();
    expect(said(session)).toEqual(['subscribe test://x', 'unsubscribe test://x']);
  });

  it('and its end keep their order, however fast they follow each other', async () => {
    const { session, a, b } = setUp();
    await a.ask('resources/subscribe', { uri: URI });
    await Promise.all([a.ask('resources/unsubscribe', { uri: URI }), b.ask('resources/subscribe', { uri: URI })]);
    changed(session, 'test://x');
    expect([updates(a), updates(b)]).toEqual([[], [URI]]);
    const last = said(session).at(-1);
    expect(last).toBe('subscribe test://x');
  });

  it('at a backend that has none is refused with the reason', async () => {
    const gateway = fakeGateway([viewWith(fakeSession({ capabilities: { resources: {} } }))]);
    const { error } = await fakeClient(gateway).ask('resources/subscribe', { uri: URI });
    expect(error).toMatchObject({ code: -32603, data: { reason: 'subscribe-unsupported' } });
  });

  it('of one resource too many is refused', async () => {
    const gateway = fakeGateway([viewWith(subscribable())], { limits: { 'session.maxSubscriptions': 1 } });
    const client = fakeClient(gateway);
    await client.ask('resources/subscribe', { uri: URI });
    expect((await client.ask('resources/subscribe', { uri: 'test://a/dir' })).error).toMatchObject({ code: -32603 });
    await client.ask('resources/unsubscribe', { uri: URI });
    expect((await client.ask('resources/subscribe', { uri: 'test://a/dir' })).error).toBeUndefined();
  });

  it('to a resource that nobody has is -32002, its end is not', async () => {
    const { a } = setUp();
    expect((await a.ask('resources/subscribe', { uri: 'urn:nobody' })).error.code).toBe(-32002);
    expect((await a.ask('resources/unsubscribe', { uri: 'urn:nobody' })).result).toEqual({});
    expect((await a.ask('resources/unsubscribe', { uri: URI })).result).toEqual({});
  });

  it.each(['resources/subscribe', 'resources/unsubscribe'])('%s without a uri is -32602', async (method) => {
    expect((await setUp().a.ask(method, {})).error.code).toBe(-32602);
  });
});
