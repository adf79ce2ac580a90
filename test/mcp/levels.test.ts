import { describe, expect, it } from 'vitest';
import type { Instance, Upward } from '../../src/world.ts';
import {
  deferred,
  type FakeSession,
  type FakeSessionOptions,
  fakeClient,
  fakeGateway,
  fakeSession,
  flush,
  tool,
  viewOf,
} from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const LOGGING = { tools: {}, logging: {} };
const logging = (options: FakeSessionOptions = {}) => fakeSession({ capabilities: LOGGING, ...options });
const levelsTold = ({ received }: FakeSession) =>
  received.filter(({ method }) => method === 'logging/setLevel').map(({ params }) => params?.level);
const viewWith = (session: FakeSession) => viewOf('a', { session, items: { tools: [tool('t')] } });

describe('logging/setLevel', () => {
  it(verifies('F93', 'sets the backend to the most verbose level of all clients, and filters for each'), async () => {
    const upwards: Upward[] = [];
    const session = logging({
      answer: ({ method, options }) => {
        if (method !== 'tools/call') return {};
        upwards.push(options.upward as Upward);
        return new Promise(() => {});
      },
    });
    const gateway = fakeGateway([viewWith(session)]);
    const [a, b] = [fakeClient(gateway), fakeClient(gateway)];
    expect((await a.ask('logging/setLevel', { level: 'error' })).result).toEqual({});
    await b.ask('logging/setLevel', { level: 'debug' });
    await a.ask('logging/setLevel', { level: 'critical' });
    expect(levelsTold(session)).toEqual(['error', 'debug']);
    await flush();
    for (const client of [a, b]) void client.request('tools/call', { name: 'a__t' });
    await flush();
    for (const upward of upwards) for (const level of ['debug', 'critical']) upward.notify('notifications/message', { level });
    expect(a.progress.map(({ params }) => params?.level)).toEqual(['critical']);
    expect(b.progress.map(({ params }) => params?.level)).toEqual(['debug', 'critical']);
  });

  it('is forgotten when its client has gone', async () => {
    const session = logging();
    const gateway = fakeGateway([viewWith(session)]);
    const [a, b] = [fakeClient(gateway), fakeClient(gateway)];
    await a.ask('logging/setLevel', { level: 'error' });
    await b.ask('logging/setLevel', { level: 'debug' });
    b.session.close();
    expect(levelsTold(session)).toEqual(['error', 'debug', 'error']);
  });

  it('lets a client that never asked hear from info on, once another has asked for more', async () => {
    const gateway = fakeGateway([viewWith(logging())]);
    const [a, b] = [fakeClient(gateway), fakeClient(gateway)];
    const { levels } = gateway.context;
    expect(levels.passes(b.session.client, 'debug')).toBe(true);
    await a.ask('logging/setLevel', { level: 'debug' });
    expect(levels.passes(b.session.client, 'debug')).toBe(false);
    expect(levels.passes(b.session.client, 'info')).toBe(true);
    a.session.close();
    expect(levels.passes(b.session.client, 'debug')).toBe(true);
  });

  it('is told again to a backend that comes back, or that has forgotten everything', async () => {
    const gateway = fakeGateway([viewWith(logging())]);
    await fakeClient(gateway).ask('logging/setLevel', { level: 'warning' });
    const again = logging();
    gateway.set(viewWith(again));
    expect(levelsTold(again)).toEqual(['warning']);
    again.emit({ type: 'reset' });
    expect(levelsTold(again)).toEqual(['warning', 'warning']);
  });

  it('reaches a connection of one client alone with the level of that client', async () => {
    const gateway = fakeGateway([viewOf('a', { isolation: 'session', items: { tools: [tool('t')] }, session: logging() })]);
    const [a, b] = [fakeClient(gateway), fakeClient(gateway)];
    await a.ask('logging/setLevel', { level: 'error' });
    await b.ask('logging/setLevel', { level: 'debug' });
    void a.request('tools/call', { name: 'a__t' });
    await flush();
    const own = logging();
    gateway.setInstance(gateway.needed[0] as Instance, { isolation: 'session', session: own });
    expect(levelsTold(own)).toEqual(['error']);
  });

  it('is not overtaken by a call', async () => {
    const told = deferred<object>();
    const session = logging({
      answer: ({ method }) => (method === 'logging/setLevel' ? (told.promise as Promise<never>) : { content: [] }),
    });
    const client = fakeClient(fakeGateway([viewWith(session)]));
    await client.ask('logging/setLevel', { level: 'debug' });
    const call = client.ask('tools/call', { name: 'a__t' });
    await flush();
    expect(session.received.map(({ method }) => method)).toEqual(['logging/setLevel']);
    told.resolve({});
    await call;
    expect(session.received.map(({ method }) => method)).toEqual(['logging/setLevel', 'tools/call']);
  });

  it('of a backend that refuses is a warning, and its calls go on', async () => {
    const session = logging({
      answer: ({ method }) => (method === 'logging/setLevel' ? Promise.reject(new Error('no')) : { content: [] }),
    });
    const gateway = fakeGateway([viewWith(session)]);
    const client = fakeClient(gateway);
    expect((await client.ask('logging/setLevel', { level: 'debug' })).error).toBeUndefined();
    expect((await client.ask('tools/call', { name: 'a__t' })).result).toEqual({ content: [] });
    expect(gateway.logged).toEqual(['backend.set_level_failed']);
  });

  it('does not bother a backend that has no logging', async () => {
    const session = fakeSession();
    await fakeClient(fakeGateway([viewWith(session)])).ask('logging/setLevel', { level: 'debug' });
    expect(session.received).toEqual([]);
  });

  it.each([undefined, 'loud', 7])('with the level %j is -32602', async (level) => {
    const client = fakeClient(fakeGateway([]));
    expect((await client.ask('logging/setLevel', { level })).error.code).toBe(-32602);
  });
});
