import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESPAWN_BUDGET } from '../../src/machines/respawn.ts';
import { type Child, type ChildId, type Decision, type Roster, sequence, spawned } from '../../src/machines/roster.ts';
import {
  crashed as crashedAt,
  ended,
  granted,
  observed as observedAt,
  type Signs,
  slotExpired,
  stopping,
} from '../../src/machines/supervision.ts';
import type { BackendView, Phase } from '../../src/world.ts';
import { fakeSession, viewOf, worldOf } from '../support/fakeWorld.ts';
import { emptyRoster, specOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

const crashed = (roster: Roster, id: ChildId, thrown: unknown, now: number) => crashedAt(roster, id, thrown, { now, monotonic: now });
const observed = (roster: Roster, id: ChildId, view: BackendView, signs: Signs) => observedAt(roster, id, view, signs, 0);

const child = (name: string, generation = 0): Child => ({ spec: specOf(name), generation });
const rosterOf = (patch: Partial<Roster> & { phase?: Phase; views?: readonly BackendView[] } = {}): Roster => {
  const { phase = 'running', views = [], ...rest } = patch;
  return {
    ...emptyRoster(worldOf(views, { phase })),
    ...rest,
  };
};
const alive = (...ids: ChildId[]) => new Map(ids.map((id) => [id, child(id.split('#')[0] as string, Number(id.split('#')[1]))]));
const typesOf = ([, effects]: Decision) => effects.map((effect) => ('id' in effect ? `${effect.type} ${effect.id}` : effect.type));

describe('a spawned child', () => {
  it('is alive, waits at the end of the queue, and is told what its predecessor knew', () => {
    const view = viewOf('a', { failures: 2 });
    const decision = spawned(rosterOf({ waiting: ['b#0'], views: [view] }), child('a', 3));
    expect(decision[0]).toMatchObject({ waiting: ['b#0', 'a#3'], alive: new Map([['a#3', child('a', 3)]]) });
    expect(decision[1]).toEqual([{ type: 'spawn', id: 'a#3', child: child('a', 3), previous: view }]);
  });
});

describe('start slots', () => {
  it(verifies('starts-at-once', 'go to those who wait longest, as many as are free'), () => {
    const decision = granted(rosterOf({ waiting: ['a#0', 'b#0', 'c#0'], launching: ['x#0'] }), 3);
    expect([decision[0].waiting, decision[0].launching]).toEqual([['c#0'], ['x#0', 'a#0', 'b#0']]);
    expect(typesOf(decision)).toEqual(['start a#0', 'start b#0']);
  });

  it.each(['booting', 'draining', 'stopping', 'stopped'] as const)('are given to nobody while %s', (phase) => {
    const roster = rosterOf({ phase, waiting: ['a#0'] });
    expect(granted(roster, 8)).toEqual([roster, []]);
  });

  it('may be fewer than those that launch already', () => {
    expect(typesOf(granted(rosterOf({ waiting: ['a#0'], launching: ['x#0', 'y#0'] }), 1))).toEqual([]);
  });

  it(verifies('starts-at-once', 'come back when a child no longer starts, or has had its time'), () => {
    const roster = rosterOf({ alive: alive('a#0'), launching: ['a#0', 'b#0'] });
    const launched = observed(roster, 'a#0', viewOf('a'), { waits: false, starts: false });
    expect([launched[0].launching, typesOf(launched)]).toEqual([['b#0'], ['freeSlot a#0']]);
    expect(slotExpired(roster, 'b#0')[0].launching).toEqual(['a#0']);
    expect(observed(roster, 'a#0', viewOf('a', { state: 'starting' }), { waits: false, starts: true })[0].launching).toEqual([
      'a#0',
      'b#0',
    ]);
  });

  it('are never lost nor given twice, whatever happens', () => {
    const ids = ['a#0', 'b#0', 'c#0', 'd#0'] as const;
    const step = fc.record({
      id: fc.constantFrom(...ids),
      what: fc.constantFrom('waits', 'starts', 'runs', 'expired', 'crashed', 'ended'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let roster = rosterOf({ alive: alive(...ids), waiting: [...ids], views: ids.map((id) => viewOf(id.charAt(0))) });
        let now = 0;
        for (const { id, what } of steps) {
          now += 1_000;
          const generation = Number(id.split('#')[1]);
          const view = viewOf(id.charAt(0), { generation });
          [roster] = sequence(
            roster,
            (before) =>
              what === 'expired'
                ? slotExpired(before, id)
                : what === 'crashed'
                  ? crashed(before, id, new Error('x'), now)
                  : what === 'ended'
                    ? ended(before, id, now)
                    : observed(before, id, view, { waits: what === 'waits', starts: what === 'starts' }),
            (before) => granted(before, 2),
          );
          expect(roster.launching.length).toBeLessThanOrEqual(2);
          expect(new Set(roster.launching).size).toBe(roster.launching.length);
          expect(new Set(roster.waiting).size).toBe(roster.waiting.length);
          expect([...roster.waiting, ...roster.launching].filter((one) => !roster.alive.has(one))).toEqual([]);
          if (roster.launching.length < 2) expect(roster.waiting).toEqual([]);
        }
      }),
    );
  });
});

describe('an observed child', () => {
  it('is in the World, and joins or leaves the queue', () => {
    const roster = rosterOf({ alive: alive('a#0'), views: [viewOf('a', { state: 'idle' }), viewOf('b')] });
    const [waits] = observed(roster, 'a#0', viewOf('a', { state: 'retrying' }), { waits: true, starts: false });
    expect([waits.waiting, waits.world.backends.get('a')?.state, [...waits.world.backends.keys()]]).toEqual([
      ['a#0'],
      'retrying',
      ['a', 'b'],
    ]);
    const [left] = observed(waits, 'a#0', viewOf('a', { state: 'stopping' }), { waits: false, starts: false });
    expect(left.waiting).toEqual([]);
  });

  it('that is no longer alive changes nothing', () => {
    const roster = rosterOf({ alive: alive('a#1'), views: [viewOf('a', { generation: 1 })] });
    expect(observed(roster, 'a#0', viewOf('a', { generation: 0, state: 'error' }), { waits: true, starts: false })).toEqual([roster, []]);
  });

  it('of an old generation never overwrites the new one', () => {
    const now = viewOf('a', { generation: 1 });
    const roster = rosterOf({ alive: alive('a#0', 'a#1'), views: [now] });
    const [next] = observed(roster, 'a#0', viewOf('a', { generation: 0, state: 'error' }), { waits: false, starts: false });
    expect(next.world.backends.get('a')).toBe(now);
  });
});

describe('an ended child', () => {
  it(verifies('no-actor-leak', 'is removed, and shown as stopped, without session and retry'), () => {
    const roster = rosterOf({ alive: alive('a#0'), waiting: ['a#0'], launching: ['a#0'], views: [viewOf('a', { retryAt: 5 })] });
    const decision = ended(roster, 'a#0', 77);
    expect(typesOf(decision)).toEqual(['remove a#0']);
    expect(decision[0]).toMatchObject({ alive: new Map(), waiting: [], launching: [] });
    expect(decision[0].world.backends.get('a')).toMatchObject({ state: 'stopped', session: undefined, retryAt: undefined, since: 77 });
  });

  it('may be unknown, or never have been seen', () => {
    const roster = rosterOf();
    expect(ended(roster, 'a#0', 1)).toEqual([roster, []]);
    expect(typesOf(ended(rosterOf({ alive: alive('a#0') }), 'a#0', 1))).toEqual(['remove a#0']);
  });
});

describe('a crashed child', () => {
  it(verifies('root-survives', 'is shown as an error of ours, its session closed, and replaced by the next generation'), () => {
    const session = fakeSession();
    const roster = rosterOf({
      alive: alive('a#2', 'b#0'),
      launching: ['a#2'],
      views: [viewOf('a', { session, generation: 2, settled: false })],
    });
    const decision = crashed(roster, 'a#2', new TypeError('x is not a function'), 50);
    const view = decision[0].world.backends.get('a');
    expect(typesOf(decision)).toEqual(['remove a#2', 'closeSession a', 'spawn a#3']);
    expect(view).toMatchObject({ state: 'error', session: undefined, settled: true, since: 50 });
    expect(view?.lastError?.message).toBe('onemcp failed to supervise "a": x is not a function; please report it');
    expect([[...decision[0].alive.keys()], decision[0].waiting, decision[0].launching]).toEqual([['b#0', 'a#3'], ['a#3'], []]);
  });

  it(verifies('respawn-budget', 'is left down when it crashes more often than its budget allows, and back when time has passed'), () => {
    const crashAt = (roster: Roster, now: number): Decision => {
      const id = [...roster.alive.keys()][0] as ChildId | undefined;
      return id ? crashed(roster, id, new Error('again'), now) : [roster, []];
    };
    let roster = rosterOf({ alive: alive('a#0'), views: [viewOf('a')] });
    for (let n = 0; n < RESPAWN_BUDGET.restarts; n++) {
      [roster] = crashAt(roster, n);
      expect([...roster.alive.keys()]).toEqual([`a#${n + 1}`]);
    }
    const last = crashAt(roster, 10);
    expect([last[0].alive.size, typesOf(last)]).toEqual([0, ['remove a#5']]);
    expect(last[0].world.backends.get('a')).toMatchObject({ state: 'error', lastError: { code: 'internal' } });
    expect(typesOf(crashAt(roster, RESPAWN_BUDGET.within + 10))).toEqual(['remove a#5', 'spawn a#6']);
  });

  it('has a budget of its own', () => {
    const times = Array.from({ length: RESPAWN_BUDGET.restarts }, () => 0);
    const roster = rosterOf({ alive: alive('a#0'), respawns: new Map([['b', times]]) });
    expect(typesOf(crashed(roster, 'a#0', 1, 0))).toEqual(['remove a#0', 'spawn a#1']);
  });

  it.each(['draining', 'stopping', 'stopped'] as const)('is not replaced while %s', (phase) => {
    expect(typesOf(crashed(rosterOf({ phase, alive: alive('a#0') }), 'a#0', new Error('x'), 0))).toEqual(['remove a#0']);
  });

  it('may be unknown', () => {
    const roster = rosterOf();
    expect(crashed(roster, 'a#0', 1, 1)).toEqual([roster, []]);
  });
});

it(verifies('stop-order', 'the last started stops first'), () => {
  expect(typesOf(stopping(rosterOf({ alive: alive('a#0', 'b#0', 'c#1') })))).toEqual(['stop c#1', 'stop b#0', 'stop a#0']);
});
