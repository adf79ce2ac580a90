import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import { backendMachine } from '../../src/machines/backend.ts';
import { needed as neededAt, released } from '../../src/machines/instances.ts';
import { RESPAWN_BUDGET } from '../../src/machines/respawn.ts';
import { type Child, type ChildId, type Decision, type Effect, type Roster, sequence, spawned } from '../../src/machines/roster.ts';
import { crashed as crashedAt, ended, granted, observed as observedAt, type Signs, stopping } from '../../src/machines/supervision.ts';
import type { BackendState, BackendView, Instance, InstanceView, Phase } from '../../src/world.ts';
import { deferred, fakeSession, flush, viewOf, worldOf } from '../support/fakeWorld.ts';
import { createRoot, emptyRoster, exit, fakeIo, instanceOf, opened, specOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

const crashed = (roster: Roster, id: ChildId, thrown: unknown, now: number) => crashedAt(roster, id, thrown, { now, monotonic: now });
const observed = (roster: Roster, id: ChildId, view: BackendView, signs: Signs) => observedAt(roster, id, view, signs, 0);
const needed = (roster: Roster, of: BackendSpec, instance: Instance, now: number) =>
  neededAt(roster, of, instance, { now, monotonic: now });

const K = instanceOf('a', 'k');
const spec = specOf('a');
const shown = (instance: Instance, patch: Parameters<typeof viewOf>[1] = {}): InstanceView => ({
  ...viewOf(instance.backend, patch),
  instance,
});

/** A roster with the backend `a`, and instances of it. */
function rosterOf({ phase = 'running' as Phase, views = [] as readonly InstanceView[], ...patch }: Partial<Roster> & Options = {}): Roster {
  const world = { ...worldOf([viewOf('a')], { phase }), instances: new Map(views.map((view) => [view.instance.id, view])) };
  return { ...emptyRoster(world), ...patch };
}
interface Options {
  readonly phase?: Phase;
  readonly views?: readonly InstanceView[];
}
const aliveOf = (...children: readonly (readonly [Instance, number])[]): ReadonlyMap<string, Child> =>
  new Map(
    children.map(([instance, generation]) => [`${instance.id}#${generation}`, { spec: specOf(instance.backend), instance, generation }]),
  );
const neededOf = (...instances: readonly Instance[]) => new Map(instances.map((instance) => [instance.id, instance]));
const typesOf = ([, effects]: Decision) => effects.map((effect) => ('id' in effect ? `${effect.type} ${effect.id}` : effect.type));
/** An instance that runs. */
const running = (generation = 0, patch: Partial<Roster> = {}): Roster =>
  rosterOf({ views: [shown(K, { generation })], alive: aliveOf([K, generation]), needed: neededOf(K), ...patch });
/** An instance that was released and has not ended. */
const leaving = (patch: Partial<Roster> & Options = {}): Roster =>
  rosterOf({ views: [shown(K, { state: 'stopping', failures: 2 })], alive: aliveOf([K, 0]), ...patch });

describe('an instance that is needed', () => {
  it('is a child of its own, which waits for a start slot behind the others', () => {
    const decision = needed(rosterOf({ waiting: ['b#0'] }), spec, K, 5);
    const child = { spec, instance: K, generation: 0 };
    expect(decision[1]).toEqual([{ type: 'spawn', id: 'a@k#0', child, previous: undefined }]);
    expect(decision[0]).toMatchObject({ waiting: ['b#0', 'a@k#0'], alive: new Map([['a@k#0', child]]), needed: neededOf(K) });
  });

  it('is spawned while the gateway boots, but started only when it runs', () => {
    const booting = needed(rosterOf({ phase: 'booting' }), spec, K, 5);
    expect(typesOf(booting)).toEqual(['spawn a@k#0']);
    expect(typesOf(granted(booting[0], 8))).toEqual([]);
    expect(typesOf(granted({ ...booting[0], world: { ...booting[0].world, phase: 'running' } }, 8))).toEqual(['start a@k#0']);
  });

  it.each([
    ['it is there', running()],
    ['it was needed again before', leaving({ needed: neededOf(K) })],
    ['the gateway drains', rosterOf({ phase: 'draining' })],
    ['the gateway stops', rosterOf({ phase: 'stopping' })],
    ['the gateway is stopped', rosterOf({ phase: 'stopped' })],
    ['it leaves, but the gateway drains', leaving({ phase: 'draining' })],
  ])('changes nothing when %s', (_, roster) => {
    expect(needed(roster, spec, K, 5)).toEqual([roster, []]);
    expect(needed(roster, spec, K, 5)[0]).toBe(roster);
  });

  it('is never taken for a backend that has its id as a name', () => {
    const world = worldOf([viewOf('a'), viewOf('a@k')]);
    const roster = rosterOf({ world });
    expect(needed(roster, spec, K, 5)).toEqual([roster, []]);
    expect(released({ ...roster, respawns: new Map([['a@k', [1]]]) }, 'a@k', 5)[0].respawns.size).toBe(1);
  });

  it('leaves the identity of the backends as it is, from its first view to its last', () => {
    let [roster] = needed(rosterOf(), spec, K, 5);
    const { backends } = roster.world;
    [roster] = observed(roster, 'a@k#0', shown(K, { state: 'idle' }), { waits: true, starts: false });
    expect(roster.world.instances.get('a@k')?.state).toBe('idle');
    [roster] = crashed(roster, 'a@k#0', new Error('x'), 6);
    expect(roster.world.instances.get('a@k')?.state).toBe('error');
    [roster] = released(roster, 'a@k', 7);
    [roster] = ended(roster, 'a@k#1', 8);
    expect([roster.world.instances.size, roster.world.backends === backends]).toEqual([0, true]);
  });
});

describe('an instance that is released', () => {
  it('is stopped, and out of the World when it has ended', () => {
    const decision = released(running(3), 'a@k', 5);
    expect([typesOf(decision), decision[0].needed.size, decision[0].world.instances.size]).toEqual([['stop a@k#3'], 0, 1]);
    const last = ended(decision[0], 'a@k#3', 6);
    expect([typesOf(last), last[0].world.instances.size, last[0].alive.size]).toEqual([['remove a@k#3'], 0, 0]);
  });

  it('takes nobody else with it', () => {
    const other = instanceOf('a', 'other');
    const roster = rosterOf({ views: [shown(K), shown(other)], alive: aliveOf([K, 0], [other, 0]), needed: neededOf(K, other) });
    const [next, effects] = released(roster, 'a@k', 5);
    expect(effects).toEqual([{ type: 'stop', id: 'a@k#0' }]);
    const [last] = ended(next, 'a@k#0', 6);
    expect([[...last.needed.keys()], [...last.alive.keys()], [...last.world.instances.keys()]]).toEqual([
      ['a@other'],
      ['a@other#0'],
      ['a@other'],
    ]);
  });

  it.each([
    ['is not known', rosterOf()],
    ['leaves already', leaving()],
  ])('changes nothing when it %s', (_, roster) => {
    expect(released(roster, 'a@k', 5)[0]).toBe(roster);
    expect(released(roster, 'a@k', 5)[1]).toEqual([]);
  });

  it.each(['draining', 'stopping'] as const)('is stopped while %s as well', (phase) => {
    expect(typesOf(released(running(0, { world: { ...running().world, phase } }), 'a@k', 5))).toEqual(['stop a@k#0']);
  });
});

describe('an instance that is needed again while it leaves', () => {
  const again = { ...K, capabilities: { sampling: {} } };
  const [waited, effects] = needed(leaving(), spec, again, 9);

  it('is shown as what is to come, whatever the leaving one still says', () => {
    expect(effects).toEqual([]);
    expect(waited.world.instances.get('a@k')).toMatchObject({
      state: 'idle',
      generation: 1,
      since: 9,
      instance: again,
      session: undefined,
    });
    const [late] = observed(waited, 'a@k#0', shown(K, { state: 'stopped' }), { waits: false, starts: false });
    expect(late.world).toBe(waited.world);
  });

  it('is spawned at the end of the leaving one, not before, as the next generation of what was known', () => {
    const decision = ended(waited, 'a@k#0', 10);
    expect(typesOf(decision)).toEqual(['remove a@k#0', 'spawn a@k#1']);
    expect(decision[1][1]).toMatchObject({ child: { spec, instance: again, generation: 1 }, previous: { failures: 2, state: 'idle' } });
    expect([[...decision[0].alive.keys()], decision[0].waiting]).toEqual([['a@k#1'], ['a@k#1']]);
  });

  it('is spawned as well when the leaving one crashes', () => {
    expect(typesOf(crashed(waited, 'a@k#0', new Error('x'), 10))).toEqual(['remove a@k#0', 'spawn a@k#1']);
  });

  it('goes when it is released before that', () => {
    const decision = released(waited, 'a@k', 10);
    expect([typesOf(decision), decision[0].world.instances.get('a@k')?.state]).toEqual([[], 'stopping']);
    const last = ended(decision[0], 'a@k#0', 11);
    expect([typesOf(last), last[0].world.instances.size, last[0].needed.size]).toEqual([['remove a@k#0'], 0, 0]);
  });

  it('may change its mind as often as it likes', () => {
    const [taken] = released(waited, 'a@k', 10);
    const [back] = needed(taken, spec, K, 11);
    expect(back.world.instances.get('a@k')).toMatchObject({ state: 'idle', generation: 1 });
    expect(typesOf(ended(back, 'a@k#0', 12))).toEqual(['remove a@k#0', 'spawn a@k#1']);
  });

  it('is not spawned any more when the gateway drains meanwhile', () => {
    const last = ended({ ...waited, world: { ...waited.world, phase: 'draining' } }, 'a@k#0', 10);
    expect([typesOf(last), last[0].world.instances.size, last[0].needed.size]).toEqual([['remove a@k#0'], 0, 0]);
  });
});

describe('an instance whose actor crashes', () => {
  it(verifies('root-survives', 'is shown as an error of ours, its session closed, and replaced'), () => {
    const session = fakeSession();
    const decision = crashed(running(2, { world: rosterOf({ views: [shown(K, { session, generation: 2 })] }).world }), 'a@k#2', 'boom', 5);
    expect(typesOf(decision)).toEqual(['remove a@k#2', 'closeSession a@k', 'spawn a@k#3']);
    const { state, lastError } = decision[0].world.instances.get('a@k') as InstanceView;
    expect([state, lastError?.message, lastError?.data?.server]).toEqual([
      'error',
      'onemcp failed to supervise "a@k": boom; please report it',
      'a',
    ]);
    expect(decision[0].world.backends.get('a')?.state).toBe('connected');
  });

  it('is gone at once when nobody needs it any more', () => {
    const decision = crashed(leaving({ respawns: new Map([['a@k', [1]]]) }), 'a@k#0', 'boom', 5);
    expect([typesOf(decision), decision[0].world.instances.size, decision[0].respawns.size]).toEqual([['remove a@k#0'], 0, 0]);
  });

  it('is not replaced while the gateway drains', () => {
    const roster = running(0, { world: { ...running().world, phase: 'draining' } });
    expect(typesOf(crashed(roster, 'a@k#0', 'boom', 5))).toEqual(['remove a@k#0', 'closeSession a@k']);
  });

  /** Crashes as often as the budget allows, and once more. */
  function spent(): Roster {
    let roster = running();
    for (let n = 0; n <= RESPAWN_BUDGET.restarts; n++) {
      expect([...roster.alive.keys()]).toEqual([`a@k#${n}`]);
      [roster] = crashed(roster, `a@k#${n}`, new Error('again'), n);
      const view = roster.world.instances.get('a@k') as InstanceView;
      if (roster.alive.size > 0)
        [roster] = observed(roster, `a@k#${n + 1}`, { ...view, generation: n + 1 } as never, { waits: true, starts: false });
    }
    return roster;
  }

  it(verifies('respawn-budget', 'more often than its own budget allows is left down, and shows why'), () => {
    const roster = spent();
    expect([roster.alive.size, roster.needed.size, roster.world.instances.get('a@k')?.state]).toEqual([0, 0, 'error']);
    const backend = { ...roster, alive: new Map([['a#0', { spec, generation: 0 }]]) };
    expect(typesOf(crashed(backend, 'a#0', 'boom', 10)), 'the backend has a budget of its own').toContain('spawn a#1');
  });

  it(verifies('respawn-budget', 'is tried again when it is needed, but not before its budget allows'), () => {
    const roster = spent();
    expect(needed(roster, spec, K, 100)).toEqual([roster, []]);
    const decision = needed(roster, spec, K, RESPAWN_BUDGET.within + 10);
    expect([typesOf(decision), decision[0].needed.has('a@k')]).toEqual([['spawn a@k#6'], true]);
  });

  it('leaves no trace when it is released after that', () => {
    const [roster, effects] = released(spent(), 'a@k', 100);
    expect([effects, roster.world.instances.size, roster.respawns.size]).toEqual([[], 0, 0]);
    expect(typesOf(needed(roster, spec, K, 100))).toEqual(['spawn a@k#0']);
  });
});

describe('whatever is needed and released', () => {
  const KEYS = ['k', 'l', 'm'] as const;
  const command = fc.record({
    what: fc.constantFrom('need', 'need', 'release', 'end', 'crash', 'runs', 'waits', 'drain'),
    key: fc.constantFrom(...KEYS),
  });

  it('there is never more than one child of an instance, what is needed comes, and in the end nothing is left', () => {
    const property = fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      /** Who is told to stop and has not ended. */
      const told = new Set<string>();
      /** What somebody outside would expect to be there. */
      const wanted = new Set<string>();
      let now = 0;
      let roster = rosterOf({ alive: new Map([['a#0', { spec, generation: 0 }]]) });
      const take = ([next, effects]: Decision) => {
        roster = next;
        for (const effect of effects) follow(effect);
      };
      const follow = (effect: Effect) => {
        if (effect.type === 'stop') told.add(effect.id);
        if (effect.type === 'remove') told.delete(effect.id);
        if (effect.type !== 'spawn') return;
        const instance = effect.child.instance as Instance;
        // As the actor does, whose first snapshot arrives at once.
        take(
          observed(roster, effect.id, shown(instance, { state: 'idle', generation: effect.child.generation }), {
            waits: true,
            starts: false,
          }),
        );
      };
      const childOf = (id: string) => [...roster.alive].find(([, { instance }]) => instance?.id === id);
      const endTold = () => {
        for (const id of [...told]) take(ended(roster, id as ChildId, now));
      };

      for (const { what, key } of commands) {
        // Slowly enough for every budget.
        now += 20_000;
        const instance = instanceOf('a', key);
        const [id, child] = childOf(instance.id) ?? [];
        if (what === 'need') {
          take(needed(roster, spec, instance, now));
          if (roster.world.phase === 'running') wanted.add(instance.id);
        }
        if (what === 'release') {
          take(released(roster, instance.id, now));
          wanted.delete(instance.id);
        }
        if (what === 'drain') {
          roster = { ...roster, world: { ...roster.world, phase: 'draining' } };
        }
        if (id && what === 'end' && told.has(id)) take(ended(roster, id as ChildId, now));
        if (id && what === 'crash') take(crashed(roster, id as ChildId, 'boom', now));
        if (id && child && (what === 'runs' || what === 'waits') && !told.has(id)) {
          const view = shown(instance, { state: what === 'runs' ? 'connected' : 'retrying', generation: child.generation });
          take(observed(roster, id as ChildId, view, { waits: what === 'waits', starts: false }));
        }
        take(granted(roster, 2));

        const ids = [...roster.alive.values()].map((one) => one.instance?.id);
        expect(new Set(ids).size).toBe(ids.length);
        const unneeded = [...roster.alive].filter(([, one]) => one.instance && !roster.needed.has(one.instance.id));
        expect(
          unneeded.filter(([one]) => !told.has(one)),
          'who is not needed is told to stop',
        ).toEqual([]);
        if (roster.world.phase === 'running') {
          expect([...roster.needed.keys()].sort()).toEqual([...wanted].sort());
          expect([...wanted].filter((one) => !childOf(one) || !roster.world.instances.has(one))).toEqual([]);
        }
      }

      if (roster.world.phase === 'running') {
        endTold();
        expect(told.size).toBe(0);
        expect([...roster.alive.values()].flatMap(({ instance }) => instance?.id ?? []).sort()).toEqual([...wanted].sort());
        expect([...roster.world.instances.keys()].sort()).toEqual([...wanted].sort());
      }
      roster = { ...roster, world: { ...roster.world, phase: 'stopping' } };
      take(stopping(roster));
      endTold();
      expect([roster.alive.size, roster.waiting, told.size]).toEqual([0, [], 0]);
      const left = [...roster.world.instances.values()].filter(({ state, session }) => state !== 'error' || session);
      expect(left, 'but for those that crashed while the gateway drained').toEqual([]);
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

/** The root over fake backends, with everything connected that was opened. */
async function rootWith(specs: readonly string[], options: Parameters<typeof createRoot>[1] = {}) {
  const root = createRoot(specs, options);
  root.root.send({ type: 'RUN' });
  const connect = async () => {
    for (let asked = -1; asked !== root.io.opening.length; ) {
      asked = root.io.opening.length;
      for (const { resolve } of root.io.opening) resolve(opened());
      await flush();
    }
  };
  await connect();
  return Object.assign(root, { connect });
}
const childrenOf = (root: ReturnType<typeof createRoot>) => root.children().filter((id) => id.includes('#'));

describe('the root', () => {
  it('starts an instance that is needed, shows it among the instances, and ends it when it is released', async () => {
    const root = await rootWith(['a']);
    const { backends } = root.world();
    root.need(K);
    root.need(K);
    expect([root.instance('a@k')?.state, childrenOf(root)]).toEqual(['starting', ['a#0', 'a@k#0']]);
    const session = fakeSession();
    root.io.openOf('a@k').resolve(opened({}, session));
    await flush();
    expect(root.instance('a@k')).toMatchObject({ name: 'a', instance: K, state: 'connected', session, settled: true, connects: 1 });
    root.release('a@k');
    expect(root.instance('a@k')?.state).toBe('stopping');
    await flush();
    expect([root.instance('a@k'), childrenOf(root), root.state('a')]).toEqual([undefined, ['a#0'], 'connected']);
    expect(root.io.order).toEqual(['open a', 'open a@k', 'close a@k']);
    expect(root.world().backends === backends).toBe(true);
  });

  it('knows nothing of an instance of a backend that is not there', async () => {
    const root = await rootWith(['a']);
    const before = root.world();
    root.need(instanceOf('b', 'k'));
    root.release('b@k');
    expect([root.world() === before, childrenOf(root)]).toEqual([true, ['a#0']]);
  });

  it('starts nothing before it runs; what was released until then just ends', async () => {
    const root = createRoot(['a']);
    root.need(K);
    root.need(instanceOf('a', 'l'));
    expect([root.instance('a@k')?.state, root.io.order]).toEqual(['idle', []]);
    root.release('a@k');
    await flush();
    expect([root.instance('a@k'), root.io.order]).toEqual([undefined, ['close a@k']]);
    root.root.send({ type: 'RUN' });
    expect(root.io.order).toEqual(['close a@k', 'open a', 'open a@l']);
  });

  it(verifies('starts-at-once', 'counts instances among those that launch'), async () => {
    const root = await rootWith(['a'], { limits: { startsAtOnce: 2 } });
    for (const key of ['k', 'l', 'm']) root.need(instanceOf('a', key));
    const states = () => ['k', 'l', 'm'].map((key) => root.instance(`a@${key}`)?.state);
    expect(states()).toEqual(['starting', 'starting', 'idle']);
    root.io.openOf('a@k').resolve(opened());
    await flush();
    expect(states()).toEqual(['connected', 'starting', 'starting']);
  });

  it(verifies('backoff', 'brings an instance back while it is needed, with the delays of a backend'), async () => {
    const root = await rootWith(['a']);
    root.need(K);
    await root.connect();
    root.io.say('a@k', { type: 'CLOSED', error: exit('a') });
    await flush();
    expect(root.instance('a@k')).toMatchObject({ state: 'retrying', failures: 1, lastError: exit('a') });
    expect(root.state('a')).toBe('connected');
    root.clock.increment(250);
    root.io.openOf('a@k').reject(exit('a'));
    await flush();
    root.clock.increment(499);
    expect(root.instance('a@k')?.state).toBe('retrying');
    root.clock.increment(1);
    await root.connect();
    expect(root.instance('a@k')).toMatchObject({ state: 'connected', connects: 2, generation: 0 });
  });

  it('gives an instance that is needed again its turn only after nothing of the last one is left', async () => {
    const io = fakeIo({ closesAtOnce: false });
    const root = await rootWith(['a'], { io });
    root.need(K);
    await root.connect();
    root.release('a@k');
    root.need(K);
    await flush();
    expect([root.instance('a@k')?.state, childrenOf(root), io.order.at(-1)]).toEqual(['idle', ['a#0', 'a@k#0'], 'close a@k']);
    io.closing[0]?.resolve();
    await flush();
    expect([root.instance('a@k')?.state, childrenOf(root), io.order.at(-1)]).toEqual(['starting', ['a#0', 'a@k#1'], 'open a@k']);
    await root.connect();
    expect(root.instance('a@k')).toMatchObject({ state: 'connected', generation: 1, connects: 2 });
  });

  it(
    verifies('respawn-budget', 'replaces the crashed actor of an instance, five times a minute at most, and leaves its backend alone'),
    async () => {
      const io = fakeIo();
      let bugs = Number.POSITIVE_INFINITY;
      const throws = ({ context }: { context: { instance?: Instance } }) => {
        if (context.instance && bugs-- > 0) throw new TypeError('boom');
      };
      const backend = backendMachine.provide({ actors: io.actors as never, actions: { entered: throws as never } });
      const root = await rootWith(['a'], { io, backend });
      root.need(K);
      await flush();
      expect([childrenOf(root), root.root.getSnapshot().status, root.state('a')]).toEqual([['a#0'], 'active', 'connected']);
      bugs = 0;
      root.need(K);
      expect(childrenOf(root), 'its budget is spent').toEqual(['a#0']);
      root.clock.increment(RESPAWN_BUDGET.within);
      root.need(K);
      await root.connect();
      expect(root.instance('a@k')?.state).toBe('connected');
    },
  );

  it(verifies('stop-order', 'stops instances before their backends, and ends with none of them'), async () => {
    const root = await rootWith(['a', 'b']);
    root.need(K);
    await root.connect();
    root.io.order.length = 0;
    root.root.send({ type: 'DRAIN' });
    await flush();
    expect(root.io.order).toEqual(['close a@k', 'close b', 'close a']);
    expect([root.world().phase, root.world().instances.size, root.children()]).toEqual(['stopped', 0, []]);
  });

  it(verifies('drain', 'starts no instance any more when it drains, and still lets one go'), async () => {
    const { promise, resolve } = deferred<void>();
    const root = await rootWith(['a'], { settle: () => promise });
    root.need(K);
    await root.connect();
    root.root.send({ type: 'DRAIN' });
    root.need(instanceOf('a', 'l'));
    expect([root.instance('a@l'), root.instance('a@k')?.state]).toEqual([undefined, 'connected']);
    root.release('a@k');
    await flush();
    expect([root.instance('a@k'), root.world().phase]).toEqual([undefined, 'draining']);
    resolve();
    await flush();
    expect(root.world().phase).toBe('stopped');
  });

  it(verifies('no-actor-leak', 'forgets everything about instances that came and went'), async () => {
    const root = await rootWith(['a']);
    for (let n = 0; n < 100; n++) {
      const { id, ...rest } = instanceOf('a', `client-${n}`);
      root.need({ id, ...rest });
      if (n % 2 === 0) await root.connect();
      root.release(id);
      await flush();
    }
    const { alive, waiting, launching, respawns, needed: left, world } = root.root.getSnapshot().context;
    expect([childrenOf(root), alive.size, waiting, launching, respawns.size, left.size, world.instances.size]).toEqual([
      ['a#0'],
      1,
      [],
      [],
      0,
      0,
      0,
    ]);
  });

  it('never has two connections with one id, and stops all of them, whatever happens', async () => {
    const KEYS = ['k', 'l'] as const;
    const commands = fc.array(
      fc.record({
        what: fc.constantFrom('need', 'need', 'release', 'opened', 'refused', 'lost', 'closed', 'a second', 'half a minute'),
        key: fc.constantFrom(...KEYS),
      }),
      { maxLength: 50 },
    );
    const property = fc.asyncProperty(commands, async (list) => {
      const io = fakeIo({ closesAtOnce: false });
      const root = await rootWith(['a'], { io });
      const done = new Set<object>();
      const wanted = new Set<string>();
      const pending = <One extends { name: string; signal: AbortSignal }>(all: readonly One[], id: string) =>
        all.filter((one) => one.name === id && !done.has(one) && !one.signal.aborted);
      const settle = <One extends object>(one: One | undefined, act: (one: One) => void) => {
        if (!one) return;
        done.add(one);
        act(one);
      };
      for (const { what, key } of list) {
        const instance = instanceOf('a', key);
        const { id } = instance;
        if (what === 'need') {
          root.need(instance);
          wanted.add(id);
        }
        if (what === 'release') {
          root.release(id);
          wanted.delete(id);
        }
        if (what === 'opened') settle(pending(io.opening, id)[0], ({ resolve }) => resolve(opened()));
        if (what === 'refused') settle(pending(io.opening, id)[0], ({ reject }) => reject(exit('a')));
        if (what === 'lost' && io.isLive(id)) io.say(id, { type: 'CLOSED', error: exit('a') });
        if (what === 'closed') settle(pending(io.closing, id)[0], ({ resolve }) => resolve());
        if (what === 'a second') root.clock.increment(1_000);
        if (what === 'half a minute') root.clock.increment(30_000);
        await flush();
        for (const one of KEYS.map((each) => `a@${each}`)) {
          expect(pending(io.opening, one).length + pending(io.closing, one).length + Number(io.isLive(one))).toBeLessThanOrEqual(1);
          expect(root.children().filter((child) => child.startsWith(`${one}#`)).length).toBeLessThanOrEqual(1);
          if (wanted.has(one)) expect(root.instance(one)).toBeDefined();
        }
      }
      // Whoever waits for an end gets it: then there is exactly what is needed.
      for (const one of KEYS.flatMap((key) => pending(io.closing, `a@${key}`))) settle(one, ({ resolve }) => resolve());
      await flush();
      const left = KEYS.map((key) => `a@${key}`).filter((id) => root.children().some((child) => child.startsWith(`${id}#`)));
      expect(left).toEqual(KEYS.map((key) => `a@${key}`).filter((id) => wanted.has(id)));
      expect([...root.world().instances.keys()].sort()).toEqual([...wanted].sort());
      root.root.send({ type: 'DRAIN' });
      await flush();
      for (const one of io.closing) one.resolve();
      await flush();
      expect([root.world().phase, root.children(), root.world().instances.size]).toEqual(['stopped', [], 0]);
      const states = new Set<BackendState>([...root.world().backends.values()].map(({ state }) => state));
      expect([...states]).toEqual(['stopped']);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

it('decisions about instances follow each other in one step', () => {
  const [roster, effects] = sequence(
    rosterOf(),
    (before) => spawned(before, { spec, generation: 0 }),
    (before) => needed(before, spec, K, 1),
    (before) => released(before, 'a@k', 2),
    (before) => needed(before, spec, K, 3),
    (before) => ended(before, 'a@k#0', 4),
  );
  expect(typesOf([roster, effects])).toEqual(['spawn a#0', 'spawn a@k#0', 'stop a@k#0', 'remove a@k#0', 'spawn a@k#1']);
});
