/**
 * What the supervisor decides, as pure functions: roster and World in, roster and World and effects out. The root
 * machine only carries the effects out.
 */
import type { BackendSpec } from '../config/config.ts';
import { asOnemcpError, OnemcpError } from '../errors.ts';
import type { BackendSession, BackendView, World } from '../world.ts';
import { type RestartBudget, spendRestart } from './restart.ts';

/** One child: the actor of one generation of a backend. */
export interface Child {
  readonly spec: BackendSpec;
  readonly generation: number;
}

/** Ids of backend actors hold a `#`; other children of the root have plain names. */
export type ChildId = `${string}#${number}`;

/** Who is there, who waits and who launches. Guards get no `self`, so the root keeps this itself. */
export interface Roster {
  readonly world: World;
  /** Actors that have not ended, in start order. */
  readonly alive: ReadonlyMap<string, Child>;
  /** Ids that wait for a start slot, first come first served. */
  readonly waiting: readonly string[];
  /** Ids that hold a start slot. */
  readonly launching: readonly string[];
  /** Respawn times by name, for the budget against bugs in the actors themselves. */
  readonly respawns: ReadonlyMap<string, readonly number[]>;
}

export type Effect =
  | { readonly type: 'spawn'; readonly id: ChildId; readonly child: Child; readonly previous: BackendView | undefined }
  | { readonly type: 'start' | 'stop' | 'remove' | 'freeSlot'; readonly id: ChildId }
  | { readonly type: 'closeSession'; readonly session: BackendSession };

export type Decision = readonly [next: Roster, effects: readonly Effect[]];

/** What one backend actor may crash (a bug of ours, not a failure of the backend) before it is left down. */
export const RESPAWN_BUDGET: RestartBudget = { restarts: 5, within: 60_000 };

/** A child that is to run: it waits for a start slot at once. */
export function spawned(roster: Roster, child: Child): Decision {
  const id: ChildId = `${child.spec.name}#${child.generation}`;
  return [
    { ...roster, alive: new Map(roster.alive).set(id, child), waiting: [...roster.waiting, id] },
    [{ type: 'spawn', id, child, previous: roster.world.backends.get(child.spec.name) }],
  ];
}

/** A child changed: `waits` for a start slot, or `starts`. */
export function observed(roster: Roster, id: ChildId, view: BackendView, { waits, starts }: { waits: boolean; starts: boolean }): Decision {
  if (!roster.alive.has(id)) return [roster, []];
  const launched = !starts && roster.launching.includes(id);
  const listed = roster.waiting.includes(id);
  return [
    {
      ...roster,
      world: withView(roster.world, view),
      launching: launched ? without(roster.launching, id) : roster.launching,
      waiting: waits === listed ? roster.waiting : waits ? [...roster.waiting, id] : without(roster.waiting, id),
    },
    launched ? [{ type: 'freeSlot', id }] : [],
  ];
}

/** Gives free start slots to those who wait longest. */
export function granted(roster: Roster, startsAtOnce: number): Decision {
  if (roster.world.phase !== 'running') return [roster, []];
  const ids = roster.waiting.slice(0, Math.max(0, startsAtOnce - roster.launching.length));
  if (ids.length === 0) return [roster, []];
  return [
    { ...roster, waiting: roster.waiting.slice(ids.length), launching: [...roster.launching, ...ids] },
    ids.map((id) => ({ type: 'start', id: id as ChildId })),
  ];
}

/** A launching child was given its time: it goes on, but no longer holds others up. */
export function slotExpired(roster: Roster, id: ChildId): Decision {
  return [{ ...roster, launching: without(roster.launching, id) }, []];
}

/** A child ended in `stopped`. */
export function ended(roster: Roster, id: ChildId, now: number): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const view = roster.world.backends.get(child.spec.name);
  const stopped: BackendView | undefined = view && { ...view, state: 'stopped', session: undefined, retryAt: undefined, since: now };
  return [removed(stopped ? { ...roster, world: withView(roster.world, stopped) } : roster, id), [{ type: 'remove', id }]];
}

/** A child threw, which is a bug: its session is ended for it, and it is replaced while the budget lasts. */
export function crashed(roster: Roster, id: ChildId, thrown: unknown, now: number): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const { name } = child.spec;
  const view = roster.world.backends.get(name);
  const effects: Effect[] = [{ type: 'remove', id }];
  if (view?.session) effects.push({ type: 'closeSession', session: view.session });
  let next = removed(roster, id);
  if (view) {
    const failed: BackendView = { ...view, state: 'error', session: undefined, since: now, settled: true, lastError: bug(name, thrown) };
    next = { ...next, world: withView(next.world, failed) };
  }
  const times = spendRestart(roster.respawns.get(name) ?? [], now, RESPAWN_BUDGET);
  if (!times || (roster.world.phase !== 'running' && roster.world.phase !== 'booting')) return [next, effects];
  const [respawned, more] = spawned(
    { ...next, respawns: new Map(next.respawns).set(name, times) },
    { spec: child.spec, generation: child.generation + 1 },
  );
  return [respawned, [...effects, ...more]];
}

/** Everybody stops, the last started first. */
export function stopping(roster: Roster): Decision {
  return [roster, [...roster.alive.keys()].reverse().map((id) => ({ type: 'stop', id: id as ChildId }))];
}

/** One decision after the other. */
export function sequence(roster: Roster, ...steps: readonly ((roster: Roster) => Decision)[]): Decision {
  const effects: Effect[] = [];
  let next = roster;
  for (const step of steps) {
    const [changed, more] = step(next);
    next = changed;
    effects.push(...more);
  }
  return [next, effects];
}

const without = (ids: readonly string[], id: string): readonly string[] => ids.filter((other) => other !== id);

function removed(roster: Roster, id: string): Roster {
  const alive = new Map(roster.alive);
  alive.delete(id);
  return { ...roster, alive, waiting: without(roster.waiting, id), launching: without(roster.launching, id) };
}

/** The World with one view replaced; the order of the backends stays. */
function withView(world: World, view: BackendView): World {
  const known = world.backends.get(view.name);
  // A late snapshot of an old generation must not overwrite the view of the new one.
  if (known && known.generation > view.generation) return world;
  return { ...world, backends: new Map(world.backends).set(view.name, view) };
}

function bug(name: string, thrown: unknown): OnemcpError {
  const { message } = asOnemcpError(thrown);
  return new OnemcpError('internal', `onemcp failed to supervise "${name}": ${message}; please report it`, {
    server: name,
    reason: 'internal',
  });
}
