import { describe, expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import { NO_ITEMS } from '../../src/world.ts';
import { flush, tool } from '../support/fakeWorld.ts';
import { createRoot, exit, opened, specOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

type Root = ReturnType<typeof createRoot>;

async function settle(root: Root) {
  for (let asked = -1; asked !== root.io.opening.length; ) {
    asked = root.io.opening.length;
    for (const { resolve } of root.io.opening) resolve(opened());
    await flush();
  }
}
const CHAIN: readonly BackendSpec[] = [
  specOf('app', { dependsOn: ['api'] }),
  specOf('api', { dependsOn: ['db'] }),
  specOf('db'),
  specOf('other'),
];

describe('dependencies', () => {
  it(verifies('depends-on', 'start in waves: dependants wait in idle and say for whom'), async () => {
    const root = createRoot(CHAIN);
    root.root.send({ type: 'RUN' });
    expect(root.io.order).toEqual(['open db', 'open other']);
    expect([root.view('app').waitsFor, root.view('api').waitsFor, root.view('db').waitsFor]).toEqual([['api'], ['db'], []]);
    expect([root.state('app'), root.state('api')]).toEqual(['idle', 'idle']);
    root.io.openOf('db').resolve(opened());
    await flush();
    expect([root.state('api'), root.state('app'), root.view('api').waitsFor]).toEqual(['starting', 'idle', []]);
    await settle(root);
    expect(root.inState('connected').length).toBe(4);
  });

  it('wait as long as it takes, and hold nobody else up', async () => {
    const root = createRoot(CHAIN, { limits: { startsAtOnce: 1 } });
    root.root.send({ type: 'RUN' });
    root.io.openOf('db').reject(exit('db'));
    await flush();
    root.io.openOf('other').resolve(opened());
    await flush();
    expect(root.states()).toEqual({ app: 'idle', api: 'idle', db: 'retrying', other: 'connected' });
  });

  it('also come first when a dependant is started again', async () => {
    const root = createRoot(CHAIN);
    root.root.send({ type: 'RUN' });
    await settle(root);
    root.io.say('db', { type: 'CLOSED', error: exit('db') });
    root.io.say('api', { type: 'CLOSED', error: exit('api') });
    await flush();
    const db = root.view('db').retryAt as number;
    root.clock.increment(Math.max(db, root.view('api').retryAt as number) - root.clock.now());
    expect([root.state('db'), root.state('api'), root.view('api').waitsFor]).toEqual(['starting', 'retrying', ['db']]);
    await settle(root);
    expect(root.inState('connected').length).toBe(4);
  });

  it('that are lost cost their dependants nothing: one_for_one', async () => {
    const root = createRoot(CHAIN);
    root.root.send({ type: 'RUN' });
    await settle(root);
    root.io.say('db', { type: 'CLOSED', error: exit('db') });
    await flush();
    expect(root.states()).toEqual({ app: 'connected', api: 'connected', db: 'retrying', other: 'connected' });
  });

  it(verifies('rest-for-one', 'that are lost take their dependants with them, which come back after them: rest_for_one'), async () => {
    const root = createRoot(CHAIN, { strategy: 'rest_for_one' });
    root.root.send({ type: 'RUN' });
    await settle(root);
    const before = root.view('other');
    root.io.say('db', { type: 'CLOSED', error: exit('db') });
    await flush();
    expect(root.states()).toEqual({ app: 'idle', api: 'idle', db: 'retrying', other: 'connected' });
    root.clock.increment(1_000);
    const from = root.io.order.length;
    await settle(root);
    expect(root.io.order.slice(from - 1)).toEqual(['open db', 'open api', 'open app']);
    expect([root.inState('connected').length, root.view('other') === before]).toEqual([4, true]);
    expect([root.view('db').generation, root.view('api').generation]).toEqual([0, 1]);
  });

  it(verifies('drain', 'end after those that depend on them'), async () => {
    const root = createRoot(CHAIN);
    root.root.send({ type: 'RUN' });
    await settle(root);
    const from = root.io.order.length;
    root.root.send({ type: 'DRAIN' });
    for (let n = 0; n < 6; n++) await flush();
    const closes = root.io.order.slice(from);
    expect(new Set(closes)).toEqual(new Set(['close app', 'close api', 'close db', 'close other']));
    expect(closes.indexOf('close app')).toBeLessThan(closes.indexOf('close api'));
    expect(closes.indexOf('close api')).toBeLessThan(closes.indexOf('close db'));
    expect(root.world().phase).toBe('stopped');
  });
});

describe('a lazy backend', () => {
  const info = { protocolVersion: '2025-11-25', serverInfo: {}, capabilities: { tools: {} } };
  const remembered = { items: { ...NO_ITEMS, tools: [tool('t')] }, info, at: 1 };

  it(verifies('lazy', 'whose lists are remembered sleeps until it is needed'), async () => {
    const root = createRoot([specOf('a', { lazy: true })], { memory: { recall: () => remembered } });
    root.root.send({ type: 'RUN' });
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'idle', asleep: true, settled: true, items: remembered.items });
    expect(root.io.order).toEqual([]);
    root.root.send({ type: 'WAKE_BACKEND', name: 'a' });
    expect(root.view('a')).toMatchObject({ state: 'starting', asleep: false });
    await settle(root);
    expect(root.state('a')).toBe('connected');
  });

  it(verifies('lazy', 'that nobody knows is started once for its lists, and sleeps then'), async () => {
    const root = createRoot([specOf('a', { lazy: true })]);
    root.root.send({ type: 'RUN' });
    root.io.openOf('a').resolve(opened({ tools: [tool('t')] }));
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'idle', asleep: true, settled: true, items: { tools: [tool('t')] } });
    expect(root.io.order).toEqual(['open a', 'close a']);
    root.root.send({ type: 'WAKE_BACKEND', name: 'a' });
    await settle(root);
    expect([root.state('a'), root.view('a').connects]).toEqual(['connected', 2]);
  });

  it('that is needed while it starts for its lists stays', async () => {
    const root = createRoot([specOf('a', { lazy: true })]);
    root.root.send({ type: 'RUN' });
    root.root.send({ type: 'OPERATE', operation: { op: 'start', name: 'a' } });
    expect(root.state('a')).toBe('starting');
    await settle(root);
    expect(root.state('a')).toBe('idle');
  });

  it('that somebody depends on is woken for him', async () => {
    const root = createRoot([specOf('a', { lazy: true }), specOf('b', { dependsOn: ['a'] })], {
      memory: { recall: ({ name }) => (name === 'a' ? remembered : undefined) },
    });
    root.root.send({ type: 'RUN' });
    await settle(root);
    expect(root.states()).toEqual({ a: 'connected', b: 'connected' });
  });
});

describe('a backend that nobody used', () => {
  it(verifies('hibernation', 'sleeps, its lists are kept, and it wakes when it is needed'), async () => {
    const root = createRoot(['a']);
    root.root.send({ type: 'RUN' });
    root.io.openOf('a').resolve(opened({ tools: [tool('t')] }));
    await flush();
    root.io.say('a', { type: 'HIBERNATE' });
    expect(root.view('a')).toMatchObject({ state: 'idle', asleep: true, session: undefined, items: { tools: [tool('t')] } });
    await flush();
    expect(root.io.order).toEqual(['open a', 'close a']);
    root.root.send({ type: 'WAKE_BACKEND', name: 'a' });
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', failures: 0, generation: 0 });
  });

  it('and is needed while it ends starts as soon as it has ended', async () => {
    const { fakeIo } = await import('../support/machines.ts');
    const io = fakeIo({ closesAtOnce: false });
    const root = createRoot(['a'], { io });
    root.root.send({ type: 'RUN' });
    await settle(root);
    root.io.say('a', { type: 'HIBERNATE' });
    root.root.send({ type: 'WAKE_BACKEND', name: 'a' });
    expect([root.state('a'), root.view('a').asleep, root.io.order]).toEqual(['idle', false, ['open a', 'close a']]);
    io.closing[0]?.resolve();
    await flush();
    await settle(root);
    expect([root.state('a'), root.io.order]).toEqual(['connected', ['open a', 'close a', 'open a']]);
  });
});
