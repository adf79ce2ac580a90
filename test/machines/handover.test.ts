import { describe, expect, it } from 'vitest';
import type { BackendSpec, Plan } from '../../src/config/config.ts';
import { OnemcpError } from '../../src/errors.ts';
import { deferred, fakeSession, flush, tool } from '../support/fakeWorld.ts';
import { createRoot, exit, instanceOf, opened, specOf } from '../support/machines.ts';
import { CONFIG_VIEW } from '../support/specs.ts';
import { verifies } from '../support/verifies.ts';

type Root = ReturnType<typeof createRoot>;

const NOTHING: Plan = { start: [], stop: [], swap: [], retag: [], unchanged: [], order: [], needsRestart: [] };
const VIEW = { ...CONFIG_VIEW, revision: 2 };

function configure(root: Root, plan: Partial<Plan>) {
  const order = plan.order ?? [...root.world().backends.keys()];
  root.root.send({ type: 'CONFIGURE', plan: { ...NOTHING, ...plan, order }, config: VIEW, strategy: 'one_for_one' });
}

/** Opens whatever asks, with a session of its own. */
async function settle(root: Root, session = () => fakeSession()) {
  for (let asked = -1; asked !== root.io.opening.length; ) {
    asked = root.io.opening.length;
    for (const { resolve } of root.io.opening) resolve(opened({}, session()));
    await flush();
  }
}

async function running(specs: readonly (string | BackendSpec)[], options?: Parameters<typeof createRoot>[1]) {
  const root = createRoot(specs, options);
  root.root.send({ type: 'RUN' });
  await settle(root);
  return root;
}

/** A session with a request that is answered when the test says so. */
async function withRequest(specs: readonly (string | BackendSpec)[], options?: Parameters<typeof createRoot>[1]) {
  const { promise, resolve } = deferred<object>();
  const session = fakeSession({ answer: () => promise as never });
  const root = createRoot(specs, options);
  root.root.send({ type: 'RUN' });
  root.io.openOf('a').resolve(opened({}, session));
  await settle(root);
  const answered = session.request('tools/call', {});
  const finish = async () => {
    resolve({});
    await answered;
    for (const one of root.io.finishing) one.resolve();
    await flush();
  };
  return { root, session, finish };
}

const changed = (name: string, patch: Partial<BackendSpec> = {}) => specOf(name, { command: 'new', ...patch } as Partial<BackendSpec>);

describe('a changed backend', () => {
  it(verifies('swap', 'serves until its successor is connected; what it was asked is still answered; then it ends'), async () => {
    const { root, session, finish } = await withRequest(['a', 'b']);
    const before = root.view('b');
    configure(root, { swap: [changed('a')], unchanged: ['b'] });
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 0, session, next: { generation: 1, state: 'starting' } });
    const fresh = fakeSession();
    root.io.openOf('a').resolve(opened({}, fresh));
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1, next: undefined });
    expect(root.view('a').session).toBe(fresh);
    expect([root.children().filter((id) => id.startsWith('a#')), session.inFlight]).toEqual([['a#0', 'a#1'], 1]);
    expect(root.io.order).not.toContain('close a');
    await finish();
    expect(root.children().filter((id) => id.startsWith('a#'))).toEqual(['a#1']);
    expect(root.io.order).toContain('close a');
    expect(root.view('b'), 'nobody else was touched').toBe(before);
    expect(root.world().config.revision).toBe(2);
  });

  it(verifies('swap', 'keeps serving when its successor fails, and says so; one that comes up later takes over'), async () => {
    const root = await running(['a']);
    const { session } = root.view('a');
    configure(root, { swap: [changed('a')] });
    root.io.openOf('a').reject(new OnemcpError('spawn_failed', 'command not found: new', { server: 'a' }));
    await flush();
    expect(root.view('a')).toMatchObject({
      state: 'connected',
      generation: 0,
      next: { generation: 1, state: 'retrying', lastError: { message: 'command not found: new' } },
    });
    expect(root.view('a').session).toBe(session);
    root.clock.increment(1_000);
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1, next: undefined });
  });

  it('that crashes while its successor starts is restarted as it was; the successor takes over all the same', async () => {
    const root = await running(['a']);
    configure(root, { swap: [changed('a')] });
    const successor = root.io.openOf('a');
    root.io.say('a', { type: 'CLOSED', error: exit('a') });
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'retrying', generation: 0, next: { generation: 1 } });
    successor.resolve(opened());
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1, next: undefined });
    root.clock.increment(60_000);
    await flush();
    expect(root.children().filter((id) => id.startsWith('a#'))).toEqual(['a#1']);
  });

  it('changed again before its successor is connected gets the latest one; the one between never serves', async () => {
    const root = await running(['a']);
    configure(root, { swap: [changed('a')] });
    const between = root.io.openOf('a');
    configure(root, { swap: [changed('a', { tags: ['latest'] })] });
    await flush();
    expect(between.signal.aborted).toBe(true);
    between.resolve(opened());
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 2, tags: ['latest'] });
    expect(root.children().filter((id) => id.startsWith('a#'))).toEqual(['a#2']);
  });

  it(verifies('stop-first', 'with handoff "stop-first" has ended, its requests finished, before the new one starts'), async () => {
    const stopFirst = { handoff: 'stop-first' } as const;
    const { root, finish } = await withRequest([specOf('a', stopFirst)]);
    configure(root, { swap: [changed('a', stopFirst)] });
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'idle', session: undefined, generation: 1 });
    expect(root.io.order).toEqual(['open a']);
    await finish();
    expect(root.io.order).toEqual(['open a', 'close a', 'open a']);
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1 });
  });

  it('that is down is replaced at once, with a clean record', async () => {
    const root = await running(['a'], { random: () => 0 });
    for (let n = 0; n < 5; n++) {
      root.io.say('a', { type: 'CLOSED', error: exit('a') });
      await flush();
      if (root.state('a') === 'retrying') root.clock.increment(root.view('a').retryAt ? 30_000 : 0);
      if (n < 4) await settle(root);
      else break;
    }
    configure(root, { swap: [changed('a')] });
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1, failures: 0 });
  });

  it(verifies('retag', 'only in its tags, or in limits that nothing captured, is not touched: it keeps its session'), async () => {
    const root = await running(['a', 'b']);
    const { session, items } = root.view('a');
    configure(root, { retag: [specOf('a', { tags: ['new'], critical: true, maxQueue: 3 })] });
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 0, tags: ['new'], critical: true, maxQueue: 3 });
    expect(root.view('a').session).toBe(session);
    expect(root.view('a').items).toBe(items);
    root.io.say('a', { type: 'CLOSED', error: exit('a') });
    await flush();
    expect(root.view('a').tags, 'also later').toEqual(['new']);
  });
});

describe('a backend that is no longer configured', () => {
  it('is gone for everybody at once; what it was asked is still answered', async () => {
    const { root, session, finish } = await withRequest(['a', 'b']);
    configure(root, { stop: ['a'], order: ['b'] });
    expect([...root.world().backends.keys()]).toEqual(['b']);
    expect(session.inFlight).toBe(1);
    await finish();
    expect(root.children().filter((id) => id.includes('#'))).toEqual(['b#0']);
  });

  it('and is configured again before it has ended starts when it has, as a later generation', async () => {
    const { root, finish } = await withRequest(['a']);
    configure(root, { stop: ['a'], order: [] });
    configure(root, { start: [specOf('a')], order: ['a'] });
    expect(root.io.order).toEqual(['open a']);
    await finish();
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1 });
  });
});

describe('a new configuration', () => {
  it('adds backends and puts all in its order', async () => {
    const root = await running(['a', 'c']);
    configure(root, { start: [specOf('b')], order: ['c', 'b', 'a'] });
    await settle(root);
    expect(root.states()).toEqual({ c: 'connected', b: 'connected', a: 'connected' });
    expect([...root.world().backends.keys()]).toEqual(['c', 'b', 'a']);
  });

  it('that was rejected changes nothing but what is told of it', async () => {
    const root = await running(['a']);
    const before = root.world();
    const lastError = { at: 7, issues: [{ file: 'mcp.json', line: 2, column: 3, message: 'no' }] };
    root.root.send({ type: 'CONFIG_REJECTED', lastError });
    expect(root.world().backends).toBe(before.backends);
    expect(root.world().config).toEqual({ ...before.config, lastError });
    configure(root, {});
    expect(root.world().config.lastError).toBeUndefined();
  });

  it('replaces connections of single clients too: each finishes what it was asked', async () => {
    const root = await running(['a']);
    root.need(instanceOf('a', 'k'));
    await settle(root);
    const old = root.instance('a@k')?.session;
    configure(root, { swap: [changed('a')] });
    await settle(root);
    expect(root.instance('a@k')).toMatchObject({ state: 'connected', generation: 1 });
    expect(root.instance('a@k')?.session).not.toBe(old);
    expect(root.children().filter((id) => id.startsWith('a'))).toEqual(['a#1', 'a@k#1']);
  });
});

describe('a backend that has outgrown its memory', () => {
  it(verifies('recycle', 'is replaced by another of its kind, without a moment in which nobody serves'), async () => {
    const root = await running(['a']);
    const states: (string | undefined)[] = [];
    root.root.subscribe(() => states.push(root.state('a')));
    root.io.say('a', { type: 'RECYCLE', error: new OnemcpError('memory_exceeded', '"a" uses 2 GiB', { server: 'a' }) });
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1 });
    expect(new Set(states)).toEqual(new Set(['connected']));
    expect(root.children().filter((id) => id.includes('#'))).toEqual(['a#1']);
  });
});

describe('an operator', () => {
  const operate = (root: Root, op: 'start' | 'stop' | 'restart' | 'resume', name = 'a') =>
    root.root.send({ type: 'OPERATE', operation: { op, name } });

  it(verifies('operate', 'stops a backend once its requests are answered; it stays stopped, also over a new configuration'), async () => {
    const { root, finish } = await withRequest(['a', 'b']);
    operate(root, 'stop');
    expect(root.state('a')).toBe('stopping');
    await finish();
    expect(root.state('a')).toBe('stopped');
    configure(root, { swap: [changed('a', { tags: ['new'] })] });
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'stopped', tags: ['new'] });
    operate(root, 'start');
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1 });
  });

  it('cannot start what runs, and does not start twice what is on its way', async () => {
    const root = await running(['a']);
    const { session } = root.view('a');
    operate(root, 'start');
    await settle(root);
    expect(root.view('a').session).toBe(session);
    operate(root, 'stop');
    operate(root, 'start');
    operate(root, 'start');
    await settle(root);
    expect(root.state('a')).toBe('connected');
    expect(root.children().filter((id) => id.includes('#'))).toHaveLength(1);
  });

  it(verifies('operate', 'restarts one: the old one serves until the new one is connected'), async () => {
    const root = await running(['a']);
    operate(root, 'restart');
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 0, next: { generation: 1 } });
    await settle(root);
    expect(root.view('a')).toMatchObject({ state: 'connected', generation: 1 });
  });

  it(verifies('operate', 'holds requests back for a time, or until it resumes'), async () => {
    const root = await running(['a']);
    const drain = (holdMs?: number) => root.root.send({ type: 'OPERATE', operation: { op: 'drain', name: 'a', holdMs } });
    const now = root.clock.now();
    drain(30_000);
    expect(root.view('a').held).toEqual({ since: now, until: now + 30_000 });
    root.io.say('a', { type: 'ITEMS', items: opened({ tools: [tool('t')] }).items, notes: [] });
    expect(root.view('a').held, 'whatever else happens').toBeDefined();
    root.clock.increment(29_999);
    expect(root.view('a').held).toBeDefined();
    root.clock.increment(1);
    expect(root.view('a').held).toBeUndefined();
    drain(30_000);
    drain();
    root.clock.increment(100_000);
    expect(root.view('a').held).toMatchObject({ until: undefined });
    operate(root, 'resume');
    expect(root.view('a').held).toBeUndefined();
  });

  it('is not obeyed for a name that is not there', async () => {
    const root = await running(['a']);
    const before = root.world();
    operate(root, 'stop', 'b');
    expect(root.world()).toBe(before);
  });
});
