/**
 * What the supervisor decides, as pure functions: roster and World in, roster and World and effects out. The root
 * machine only carries the effects out.
 */
import type { BackendSpec } from '../config/config.ts';
import { asOnemcpError, OnemcpError } from '../errors.ts';
import type { BackendSession, BackendView, Instance, InstanceView, World } from '../world.ts';
import { idOf, type Target } from './backend.ts';
import { type RestartBudget, spendRestart } from './restart.ts';

/** One child: the actor of one generation of a backend, or of an instance of one. */
export interface Child extends Target {
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
  /** Respawn times by name or instance id, for the budget against bugs in the actors themselves. */
  readonly respawns: ReadonlyMap<string, readonly number[]>;
  /**
   * Instances that are to be there, by id. While the gateway boots or runs each of them has a child that is alive; an
   * instance whose child is alive without it is on its way out.
   */
  readonly needed: ReadonlyMap<string, Instance>;
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
  const id = childId(child);
  return [
    { ...roster, alive: new Map(roster.alive).set(id, child), waiting: [...roster.waiting, id] },
    [{ type: 'spawn', id, child, previous: viewOf(roster.world, child) }],
  ];
}

/**
 * An instance is to be there. One that is on its way out is shown as what it is about to be, and spawned when it has
 * ended: two generations of one connection never overlap. One that was left down for its crashes has the same budget still.
 */
export function needed(roster: Roster, spec: BackendSpec, instance: Instance, now: number): Decision {
  const { id } = instance;
  // A backend of that name would be taken for it.
  if (!maySpawn(roster) || roster.needed.has(id) || roster.world.backends.has(id)) return [roster, []];
  const next = { ...roster, needed: new Map(roster.needed).set(id, instance) };
  const view = roster.world.instances.get(id);
  const leaving = childOf(roster, id);
  if (leaving) {
    if (!view) return [next, []];
    const again: InstanceView = {
      ...view,
      instance,
      state: 'idle',
      session: undefined,
      retryAt: undefined,
      since: now,
      generation: leaving.generation + 1,
    };
    return [{ ...next, world: withView(next.world, again) }, []];
  }
  if (!roster.respawns.has(id)) return spawned(next, { spec, instance, generation: 0 });
  return replaced(next, { spec, instance, generation: (view?.generation ?? -1) + 1 }, now) ?? [roster, []];
}

/** Nobody needs an instance any more: it is stopped, and forgotten when it has ended. */
export function released(roster: Roster, id: string, now: number): Decision {
  const child = childOf(roster, id);
  // It was left down for its crashes, or there is nothing of that name.
  if (!child) return [roster.world.backends.has(id) ? roster : forgotten(roster, id), []];
  if (!roster.needed.has(id)) return [roster, []];
  const next = { ...roster, needed: withoutKey(roster.needed, id) };
  const view = roster.world.instances.get(id);
  // Its end was waited for, to spawn it again.
  if (view && view.generation > child.generation) {
    return [{ ...next, world: withView(next.world, { ...view, state: 'stopping', since: now }) }, []];
  }
  return [next, [{ type: 'stop', id: childId(child) }]];
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

/** A child ended in `stopped`: a backend stays in the World, an instance leaves it unless it is needed again. */
export function ended(roster: Roster, id: ChildId, now: number): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const { spec, instance, generation } = child;
  const next = removed(roster, id);
  const effects: readonly Effect[] = [{ type: 'remove', id }];
  if (instance) {
    const again = roster.needed.get(instance.id);
    if (!again || !maySpawn(roster)) return [forgotten(next, instance.id), effects];
    const [refilled, more] = spawned(next, { spec, instance: again, generation: generation + 1 });
    return [refilled, [...effects, ...more]];
  }
  const view = viewOf(roster.world, child);
  const stopped: BackendView | undefined = view && { ...view, state: 'stopped', session: undefined, retryAt: undefined, since: now };
  return [stopped ? { ...next, world: withView(next.world, stopped) } : next, effects];
}

/** A child threw, which is a bug: its session is ended for it, and it is replaced while the budget lasts. */
export function crashed(roster: Roster, id: ChildId, thrown: unknown, now: number): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const { spec, instance, generation } = child;
  const view = viewOf(roster.world, child);
  const effects: Effect[] = [{ type: 'remove', id }];
  if (view?.session) effects.push({ type: 'closeSession', session: view.session });
  let next = removed(roster, id);
  if (instance && !roster.needed.has(instance.id)) return [forgotten(next, instance.id), effects];
  if (view) {
    const failed: BackendView = { ...view, state: 'error', session: undefined, since: now, settled: true, lastError: bug(child, thrown) };
    next = { ...next, world: withView(next.world, failed) };
  }
  const current = instance && roster.needed.get(instance.id);
  const decision = maySpawn(roster) ? replaced(next, { spec, instance: current, generation: generation + 1 }, now) : undefined;
  if (decision) return [decision[0], [...effects, ...decision[1]]];
  // Its view stays, for whoever wants to know why it is not there; needed again, it is tried again.
  return [instance ? { ...next, needed: withoutKey(next.needed, instance.id) } : next, effects];
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

const childId = (child: Child): ChildId => `${idOf(child)}#${child.generation}`;

const viewOf = ({ backends, instances }: World, { spec, instance }: Target): BackendView | undefined =>
  instance ? instances.get(instance.id) : backends.get(spec.name);

/** The child of an instance; there is never more than one. */
function childOf({ alive }: Roster, instance: string): Child | undefined {
  for (const child of alive.values()) if (child.instance?.id === instance) return child;
  return undefined;
}

const maySpawn = ({ world: { phase } }: Roster): boolean => phase === 'booting' || phase === 'running';

/** A child that takes the place of one that crashed; undefined when the budget is spent. */
function replaced(roster: Roster, child: Child, now: number): Decision | undefined {
  const id = idOf(child);
  const times = spendRestart(roster.respawns.get(id) ?? [], now, RESPAWN_BUDGET);
  return times && spawned({ ...roster, respawns: new Map(roster.respawns).set(id, times) }, child);
}

/** An instance leaves no trace. */
function forgotten(roster: Roster, id: string): Roster {
  const { world, needed, respawns } = roster;
  if (!world.instances.has(id) && !needed.has(id) && !respawns.has(id)) return roster;
  return {
    ...roster,
    world: world.instances.has(id) ? { ...world, instances: withoutKey(world.instances, id) } : world,
    needed: withoutKey(needed, id),
    respawns: withoutKey(respawns, id),
  };
}

const without = (ids: readonly string[], id: string): readonly string[] => ids.filter((other) => other !== id);

function withoutKey<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  const left = new Map(map);
  left.delete(key);
  return left;
}

function removed(roster: Roster, id: string): Roster {
  const alive = withoutKey(roster.alive, id);
  return { ...roster, alive, waiting: without(roster.waiting, id), launching: without(roster.launching, id) };
}

/** The World with one view replaced; the order of the backends stays, and their map as well when an instance changes. */
function withView(world: World, view: BackendView | InstanceView): World {
  const instance = 'instance' in view ? view : undefined;
  const known = instance ? world.instances.get(instance.instance.id) : world.backends.get(view.name);
  // A late snapshot of an old generation must not overwrite the view of the new one.
  if (known && known.generation > view.generation) return world;
  if (instance) return { ...world, instances: new Map(world.instances).set(instance.instance.id, instance) };
  return { ...world, backends: new Map(world.backends).set(view.name, view) };
}

function bug(child: Child, thrown: unknown): OnemcpError {
  const { message } = asOnemcpError(thrown);
  return new OnemcpError('internal', `onemcp failed to supervise "${idOf(child)}": ${message}; please report it`, {
    server: child.spec.name,
    reason: 'internal',
  });
}
