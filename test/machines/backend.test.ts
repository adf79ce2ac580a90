import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor, initialTransition, SimulatedClock, type SnapshotFrom, transition } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { asOnemcpError, OnemcpError } from '../../src/errors.ts';
import { limitsWith } from '../../src/limits.ts';
import { type BackendInput, backendMachine, backendView } from '../../src/machines/backend.ts';
import { fakeSession, flush, tool } from '../support/fakeWorld.ts';
import { expectGolden } from '../support/golden.ts';
import { exit, fakeIo, instanceOf, opened, specOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

type Snapshot = SnapshotFrom<typeof backendMachine>;
type Event = Parameters<typeof backendMachine.transition>[1];

const input = (patch: Partial<BackendInput> = {}): BackendInput => ({
  spec: specOf('a'),
  generation: 0,
  limits: limitsWith(),
  ports: { now: () => 1_000, monotonic: () => 1_000, random: () => 0.5 },
  ...patch,
});

/** Everything that can happen to a backend, what its actors and timers say included. */
const EVENTS: Readonly<Record<string, object>> = {
  START: { type: 'START' },
  STOP: { type: 'STOP' },
  CLOSED: { type: 'CLOSED', error: exit('a') },
  ITEMS: { type: 'ITEMS', items: opened({ tools: [tool('new')] }).items, notes: ['a note'] },
  'open succeeds': { type: 'xstate.done.actor.0.backend.starting', output: opened({ tools: [tool('t')] }) },
  'open fails': { type: 'xstate.error.actor.0.backend.starting', error: exit('a') },
  'startTimeout passes': { type: 'xstate.after.startTimeout.backend.starting' },
  'live fails': { type: 'xstate.error.actor.live', error: new TypeError('live') },
  'resetAfter passes': { type: 'xstate.after.resetAfter.backend.connected' },
  'close is done': { type: 'xstate.done.actor.0.backend.error', output: undefined },
  'close fails': { type: 'xstate.error.actor.0.backend.error', error: new Error('close') },
  'retryDelay passes': { type: 'xstate.after.retryDelay.backend.retrying.delayed' },
  'probeDelay passes': { type: 'xstate.after.retryDelay.backend.failed.open' },
  'last close is done': { type: 'xstate.done.actor.0.backend.stopping.closing', output: undefined },
  'last close fails': { type: 'xstate.error.actor.0.backend.stopping.closing', error: new Error('close') },
  WAKE: { type: 'WAKE' },
  HIBERNATE: { type: 'HIBERNATE' },
  RETIRE: { type: 'RETIRE' },
  RECYCLE: { type: 'RECYCLE', error: exit('a') },
  RETAG: { type: 'RETAG', spec: specOf('a', { tags: ['new'] }) },
  'CLOSED for good': { type: 'CLOSED', error: new OnemcpError('unsupported_version', 'no', { server: 'a', retryable: false }) },
  'requests are finished': { type: 'xstate.done.actor.0.backend.stopping.finishing', output: undefined },
  'finishTimeout passes': { type: 'xstate.after.finishTimeout.backend.stopping.finishing' },
  'sleep begins': { type: 'xstate.done.actor.0.backend.idle.closing', output: undefined },
};
const nameOf = (event: { type: string }): string =>
  Object.keys(EVENTS).find((name) => EVENTS[name] === event) ??
  Object.keys(EVENTS).find((name) => (EVENTS[name] as Event).type === event.type) ??
  event.type;
const stateOf = ({ value }: Pick<Snapshot, 'value'>): string =>
  typeof value === 'string' ? value : Object.entries(value).flat().join('.');
const isDown = (snapshot: Snapshot) => snapshot.matches({ failed: 'down' });

/** The promises every state keeps. */
function expectSound(snapshot: Snapshot, before?: Snapshot): void {
  const view = backendView(snapshot);
  expect(view.state === 'connected').toBe(view.session !== undefined);
  expect(view.retryAt !== undefined).toBe(view.state === 'retrying' || (view.state === 'failed' && !isDown(snapshot)));
  if (['connected', 'error', 'retrying', 'failed'].includes(view.state)) expect(view.settled).toBe(true);
  if (['error', 'retrying', 'failed'].includes(view.state)) expect(view.lastError?.data?.server).toBe('a');
  if (['starting', 'retrying', 'failed', 'stopped'].includes(view.state)) expect(snapshot.context.session).toBeUndefined();
  if (before) {
    expect(view.settled || !before.context.settled).toBe(true);
    expect(view.connects).toBeGreaterThanOrEqual(before.context.connects);
  }
}

describe('every path of the backend machine', () => {
  const paths = getShortestPaths(backendMachine, {
    input: input(),
    events: Object.values(EVENTS) as Event[],
    serializeState: (snapshot) =>
      JSON.stringify([
        stateOf(snapshot),
        snapshot.context.settled,
        snapshot.context.session !== undefined,
        snapshot.context.connects > 0,
        snapshot.context.failures > 0,
        snapshot.context.verdict,
      ]),
  });
  const titled = paths.map(({ steps }) => {
    const title = steps
      .map(({ event, state }, index) => (index === 0 ? stateOf(state) : `— ${nameOf(event)} → ${stateOf(state)}`))
      .join(' ');
    return { title, steps };
  });

  it('is in the golden file', () => {
    expectGolden(
      'machines/backend.txt',
      `${titled
        .map(({ title }) => title)
        .sort()
        .join('\n')}\n`,
    );
  });

  it.each(titled)('$title', ({ steps }) => {
    let [snapshot] = initialTransition(backendMachine, input());
    expectSound(snapshot);
    for (const { event, state } of steps.slice(1)) {
      const before = snapshot;
      [snapshot] = transition(backendMachine, snapshot, event);
      expect(stateOf(snapshot)).toBe(stateOf(state));
      expectSound(snapshot, before);
    }
  });
});

describe('whatever happens to a backend', () => {
  const anyEvents = fc.array(fc.constantFrom(...Object.keys(EVENTS)), { maxLength: 60 });
  const run = (names: readonly string[], each?: (snapshot: Snapshot, before: Snapshot) => void): Snapshot => {
    let [snapshot] = initialTransition(backendMachine, input());
    for (const name of names) {
      const event = EVENTS[name] as Event;
      // A stopped actor says nothing: its events reach only the state that invoked it.
      if (snapshot.status !== 'active' || (event.type.startsWith('xstate.') && !snapshot.can(event))) continue;
      const before = snapshot;
      [snapshot] = transition(backendMachine, snapshot, event);
      expect(snapshot.status).not.toBe('error');
      each?.(snapshot, before);
    }
    return snapshot;
  };

  it('it shows a session exactly while it is connected, and a settled start stays settled', () => {
    fc.assert(
      fc.property(anyEvents, (names) => void run(names, expectSound)),
      { numRuns: 1_000 },
    );
  });

  it(verifies('drain', 'STOP always ends in stopped, with no session left'), () => {
    const property = fc.property(anyEvents, fc.constantFrom('last close is done', 'last close fails'), (names, end) => {
      const snapshot = run([...names, 'STOP', end]);
      expect([stateOf(snapshot), snapshot.status, snapshot.context.session]).toEqual(['stopped', 'done', undefined]);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('it never opens while the last one is open or being closed', async () => {
    const commands = fc.array(
      fc.constantFrom('start', 'opened', 'refused', 'lost', 'closed', 'close fails', 'a second', 'half a minute', 'stop'),
      { maxLength: 40 },
    );
    const property = fc.asyncProperty(commands, async (names) => {
      const { clock, io, actor } = createBackend({ closesAtOnce: false });
      for (const name of names) {
        const openings = io.opening.filter((one) => !done.has(one) && !one.signal.aborted);
        const closings = io.closing.filter((one) => !done.has(one) && !one.signal.aborted);
        const [opening] = openings;
        const [closing] = closings;
        expect(openings.length + closings.length + Number(io.isLive('a'))).toBeLessThanOrEqual(1);
        if (actor.getSnapshot().status !== 'active') break;
        if (name === 'start') actor.send({ type: 'START' });
        if (name === 'stop') actor.send({ type: 'STOP' });
        if (name === 'a second') clock.increment(1_000);
        if (name === 'half a minute') clock.increment(30_000);
        if (name === 'lost' && io.isLive('a')) io.say('a', { type: 'CLOSED', error: exit('a') });
        if (opening && (name === 'opened' || name === 'refused')) done.add(opening);
        if (closing && (name === 'closed' || name === 'close fails')) done.add(closing);
        if (name === 'opened') opening?.resolve(opened());
        if (name === 'refused') opening?.reject(exit('a'));
        if (name === 'closed') closing?.resolve();
        if (name === 'close fails') closing?.reject(new Error('no'));
        await flush();
        expectSound(actor.getSnapshot());
      }
      actor.stop();
    });
    const done = new Set<object>();
    await fc.assert(property, { numRuns: 200 });
  });
});

/** One backend alone, on a simulated clock. */
function createBackend({ random = (): number => 0.5, closesAtOnce = true, patch = {} as Partial<BackendInput> } = {}) {
  const clock = new SimulatedClock();
  const io = fakeIo({ closesAtOnce });
  const actor = createActor(backendMachine.provide({ actors: io.actors as never }), {
    clock,
    input: input({ ports: { now: () => clock.now(), monotonic: () => clock.now(), random }, ...patch }),
  });
  actor.start();
  const view = () => backendView(actor.getSnapshot());
  return {
    clock,
    io,
    actor,
    view,
    async connect() {
      actor.send({ type: 'START' });
      io.openOf('a').resolve(opened());
      await flush();
    },
    /** Fails a start, and tells how long the next one is away. */
    async fail(): Promise<number> {
      actor.send({ type: 'START' });
      io.openOf('a').reject(exit('a'));
      await flush();
      return (view().retryAt as number) - clock.now();
    },
    due: () => actor.getSnapshot().matches({ retrying: 'due' }),
  };
}

describe('the restarts of a backend', () => {
  it(verifies(['backoff', 'J136'], 'wait 500 ms × 2ⁿ and up to as much again by chance, at most 30 s'), async () => {
    const backend = createBackend({ patch: { limits: limitsWith({ 'restart.failures': 100 }) } });
    const delays: number[] = [];
    for (let n = 0; n < 9; n++) {
      const delay = await backend.fail();
      delays.push(delay);
      backend.clock.increment(delay - 1);
      expect(backend.due()).toBe(false);
      backend.clock.increment(1);
      expect(backend.due()).toBe(true);
    }
    expect(delays).toEqual([750, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500, 22_500]);
    expect([backend.view().failures, backend.io.opening.length]).toEqual([9, 9]);
  });

  it(verifies('backoff', 'take their chance anew each time'), async () => {
    const chances = [0, 0.999, 0.25];
    const backend = createBackend({ random: () => chances.shift() as number });
    const delays = [];
    for (let n = 0; n < 3; n++) {
      delays.push(await backend.fail());
      backend.clock.increment(30_000);
    }
    expect(delays).toEqual([500, 1_999, 2_500]);
  });

  it(verifies(['backoff', 'J136'], 'begin anew after 60 s of good running, and not a moment before'), async () => {
    const delayAfter = async (running: number) => {
      const backend = createBackend();
      for (let n = 0; n < 4; n++) {
        await backend.fail();
        backend.clock.increment(30_000);
      }
      await backend.connect();
      backend.clock.increment(running);
      backend.io.say('a', { type: 'CLOSED', error: exit('a') });
      await flush();
      return (backend.view().retryAt as number) - backend.clock.now();
    };
    expect([await delayAfter(59_999), await delayAfter(60_000)]).toEqual([12_000, 750]);
  });

  it('wait until nothing of the last run is left', async () => {
    const backend = createBackend({ closesAtOnce: false });
    await backend.connect();
    const session = backend.actor.getSnapshot().context.session;
    backend.io.say('a', { type: 'CLOSED', error: exit('a') });
    await flush();
    backend.clock.increment(60_000);
    expect([backend.view().state, backend.io.closing[0]?.session === session]).toEqual(['error', true]);
    backend.io.closing[0]?.resolve();
    await flush();
    expect([backend.view().state, backend.actor.getSnapshot().context.session]).toEqual(['retrying', undefined]);
  });
});

describe('a start', () => {
  it(verifies('start-timeout', 'that takes longer than startTimeout is given up: aborted, named, tried again'), async () => {
    const backend = createBackend({ patch: { spec: specOf('a', { startTimeout: 7_000, installTimeout: 7_000 }) } });
    backend.actor.send({ type: 'START' });
    backend.clock.increment(6_999);
    expect([backend.view().state, backend.view().settled]).toEqual(['starting', false]);
    backend.clock.increment(1);
    await flush();
    expect(backend.io.openOf('a').signal.aborted).toBe(true);
    expect(backend.view()).toMatchObject({ state: 'retrying', settled: true, failures: 1 });
    expect(backend.view().lastError?.toJSON()).toEqual({
      code: 'timeout',
      message: '"a" was not ready within 7 s of its start',
      data: { server: 'a', reason: 'timeout', retryable: true },
    });
  });

  it('that is stopped is aborted and closed', async () => {
    const backend = createBackend();
    backend.actor.send({ type: 'START' });
    backend.actor.send({ type: 'STOP' });
    await flush();
    expect([backend.io.openOf('a').signal.aborted, backend.io.order, backend.view().state]).toEqual([
      true,
      ['open a', 'close a'],
      'stopped',
    ]);
  });

  it('that answers after it was given up changes nothing', async () => {
    const backend = createBackend({ closesAtOnce: false });
    backend.actor.send({ type: 'START' });
    backend.actor.send({ type: 'STOP' });
    backend.io.openOf('a').resolve(opened());
    await flush();
    expect([backend.view().state, backend.view().connects]).toEqual(['stopping', 0]);
  });

  it('that fails with anything at all names the backend', async () => {
    const backend = createBackend();
    backend.actor.send({ type: 'START' });
    backend.io.openOf('a').reject('a text');
    await flush();
    expect(backend.view().lastError).toMatchObject({ code: 'internal', message: 'a text', data: { server: 'a' } });
  });

  it('hands the last known items to the next one', async () => {
    const backend = createBackend();
    backend.actor.send({ type: 'START' });
    const { items } = opened({ tools: [tool('t')] });
    backend.io.openOf('a').resolve({ ...opened(), items });
    await flush();
    backend.io.say('a', { type: 'CLOSED', error: exit('a') });
    await flush();
    expect(backend.view().items).toBe(items);
    backend.clock.increment(30_000);
    backend.actor.send({ type: 'START' });
    expect(backend.io.openOf('a').previous).toBe(items);
  });
});

describe('a connected backend', () => {
  it('shows new lists and notes at once', async () => {
    const backend = createBackend();
    await backend.connect();
    const { items } = opened({ tools: [tool('t')] });
    backend.io.say('a', { type: 'ITEMS', items, notes: ['n'] });
    expect([backend.view().items, backend.view().notes]).toEqual([items, ['n']]);
  });

  it('ends its live watching before it closes, and hides its session at once', async () => {
    const backend = createBackend({ closesAtOnce: false });
    await backend.connect();
    backend.actor.send({ type: 'STOP' });
    expect([backend.io.isLive('a'), backend.view().state, backend.view().session]).toEqual([false, 'stopping', undefined]);
    expect(backend.io.closing[0]?.session).toBeDefined();
  });

  it('goes on from what an earlier generation knew', () => {
    const previous = { ...createBackend().view(), items: opened({ tools: [tool('t')] }).items, failures: 3, connects: 2, settled: true };
    const { view } = createBackend({ patch: { generation: 4, previous } });
    expect(view()).toMatchObject({ generation: 4, items: previous.items, failures: 3, connects: 2, settled: true, state: 'idle' });
  });
});

describe('an instance of a backend', () => {
  const instance = instanceOf('a', 'client-7', { client: 'client-7', capabilities: { roots: {} } });

  it('is opened, watched and closed under its own id, and shows whose it is', async () => {
    const backend = createBackend({ patch: { instance } });
    backend.actor.send({ type: 'START' });
    backend.io.openOf('a@client-7').resolve(opened());
    await flush();
    expect(backend.view()).toMatchObject({ name: 'a', state: 'connected', instance });
    expect(backend.io.isLive('a@client-7')).toBe(true);
    backend.io.say('a@client-7', { type: 'CLOSED', error: exit('a') });
    await flush();
    expect([backend.view().state, backend.io.order]).toEqual(['retrying', ['open a@client-7', 'close a@client-7']]);
    backend.actor.send({ type: 'STOP' });
    await flush();
    expect(backend.io.order).toEqual(['open a@client-7', 'close a@client-7', 'close a@client-7']);
  });

  it('blames its backend for its failures: that is the name clients know', async () => {
    const backend = createBackend({ patch: { instance } });
    backend.actor.send({ type: 'START' });
    backend.clock.increment(30_000);
    await flush();
    expect(backend.view().lastError).toMatchObject({ message: '"a" was not ready within 30 s of its start', data: { server: 'a' } });
  });

  it('is what the view of a first connection says nothing of', () => {
    expect(createBackend().view()).not.toHaveProperty('instance');
  });
});

it('an unfilled hole fails like any actor', async () => {
  const actor = createActor(backendMachine, { input: input(), clock: new SimulatedClock() });
  actor.start();
  actor.send({ type: 'START' });
  await flush();
  await flush();
  expect(actor.getSnapshot().context.lastError?.message).toBe('nobody provided "open"');
  expect(asOnemcpError(actor.getSnapshot().context.lastError).data?.server).toBe('a');
  actor.stop();
});

it('a session in a snapshot prints what it wants to show of itself', () => {
  const [snapshot] = initialTransition(backendMachine, input());
  const shown = backendView({ value: 'connected', context: { ...snapshot.context, session: fakeSession() } });
  expect(JSON.stringify(shown.session)).toBe('{"fake":true}');
});

it.each([
  [{ kind: 'stdio' }, false],
  [{ kind: 'remote', type: 'sse' }, false],
  [{ kind: 'remote', type: 'auto' }, true],
  [{ kind: 'remote', type: 'http' }, true],
])('shows of %j that its messages say which request they belong to: %j', (patch, attributes) => {
  const actor = createActor(backendMachine, { input: input({ spec: { ...specOf('a'), ...patch } as BackendInput['spec'] }) });
  expect(backendView(actor.getSnapshot()).attributes).toBe(attributes);
});
