import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeClient, fakeGateway, fakeSession, tool, viewOf } from '../support/fakeWorld.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a name that is in no list', () => {
  const listed = { tools: [tool('listed')], prompts: [{ name: 'listed' }] };
  const methods = [
    ['tools/call', { content: [] }],
    ['prompts/get', { messages: [] }],
  ] as const;

  it.each(methods)(
    'is asked for by %s where a server has connections for single clients: on that of the client',
    async (method, answer) => {
      const session = fakeSession({ answer: () => structuredClone(answer) });
      const gateway = fakeGateway([viewOf('own', { isolation: 'session', items: listed })]);
      const client = fakeClient(gateway);
      const asked = client.ask(method, { name: 'own__secret.tool' });
      await vi.advanceTimersByTimeAsync(1);
      const [instance] = gateway.needed;
      expect(instance?.backend).toBe('own');
      if (instance) gateway.setInstance(instance, { session });
      await vi.advanceTimersByTimeAsync(10_000);
      expect((await asked).result).toEqual(answer);
      expect(session.received.map(({ method: sent, params }) => [sent, params?.name])).toEqual([[method, 'secret.tool']]);
    },
  );

  it.each(methods)('is unknown to %s where all clients see the same', async (method) => {
    const session = fakeSession();
    const gateway = fakeGateway([viewOf('a', { session, items: listed }), viewOf('own', { isolation: 'session', items: listed })]);
    const client = fakeClient(gateway);
    for (const name of ['a__secret', 'secret', 'nobody__secret']) {
      const { error } = await client.ask(method, { name });
      expect([error.code, error.message]).toEqual([-32602, expect.stringMatching(new RegExp(`^Unknown (tool|prompt): ${name}$`))]);
    }
    expect([session.received, gateway.needed]).toEqual([[], []]);
  });

  it('is not asked for while a server that was never seen may still bring it', async () => {
    const session = fakeSession({ answer: () => ({ content: [] }) });
    const gateway = fakeGateway([viewOf('own', { isolation: 'session' }), viewOf('late', { state: 'starting' })], { prefix: 'never' });
    const asked = fakeClient(gateway).ask('tools/call', { name: 'x' });
    await vi.advanceTimersByTimeAsync(5_000);
    gateway.set(viewOf('late', { session, items: { tools: [tool('x')] } }));
    await vi.advanceTimersByTimeAsync(1);
    expect((await asked).result).toEqual({ content: [] });
    expect([session.received.length, gateway.needed]).toEqual([1, []]);
  });

  it('is never asked for while another server that was not seen yet could own it: that would be a guess', async () => {
    const gateway = fakeGateway([viewOf('own', { isolation: 'session' }), viewOf('late', { state: 'starting' })], { prefix: 'never' });
    const asked = fakeClient(gateway).ask('prompts/get', { name: 'x' });
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await asked).error).toBeDefined();
    expect(gateway.needed).toEqual([]);
  });

  it('is asked for when the only server that could own it has come and does not list it', async () => {
    const gateway = fakeGateway([viewOf('own', { isolation: 'session', state: 'starting' })]);
    void fakeClient(gateway).ask('tools/call', { name: 'own__x' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(gateway.needed).toEqual([]);
    gateway.set(viewOf('own', { isolation: 'session' }));
    await vi.advanceTimersByTimeAsync(1);
    expect(gateway.needed.map(({ backend }) => backend)).toEqual(['own']);
  });
});
