/**
 * What the supervisor decides about the life of its children, as pure functions: roster and World in, roster and World and
 * effects out. The root machine only carries the effects out.
 */
import { asOnemcpError, OnemcpError } from '../errors.ts';
import type { BackendView, InstanceView, Successor } from '../world.ts';
import { idOf } from './backend.ts';
import { isReady, unmet } from './dependencies.ts';
import { promoted, replaced } from './handover.ts';
import { forgotten } from './instances.ts';
import { withinBudget } from './respawn.ts';
import {
  type Child,
  type ChildId,
  childId,
  currentChild,
  type Decision,
  type Effect,
  maySpawn,
  ordered,
  type Roster,
  removed,
  sequence,
  spawned,
  viewOf,
  without,
  withoutKey,
  withView,
} from './roster.ts';

/** What the root sees of a child besides its view. */
export interface Signs {
  /** It waits for a start slot. */
  readonly waits: boolean;
  readonly starts: boolean;
  /** It is to be replaced. */
  readonly worn?: boolean;
}

/** A child changed. */
export function observed(roster: Roster, id: ChildId, view: BackendView, { waits, starts, worn = false }: Signs, now: number): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const launched = !starts && roster.launching.includes(id);
  const listed = roster.waiting.includes(id);
  const next: Roster = {
    ...roster,
    launching: launched ? without(roster.launching, id) : roster.launching,
    waiting: waits === listed ? roster.waiting : waits ? [...roster.waiting, id] : without(roster.waiting, id),
  };
  const [shown, effects] = roster.leaving.has(id)
    ? [next, []]
    : roster.successors.get(view.name) === id
      ? successorObserved(next, id, view, now)
      : currentObserved(next, child, view, { worn, now });
  return [shown, launched ? [{ type: 'freeSlot', id }, ...effects] : effects];
}

function currentObserved(roster: Roster, child: Child, view: BackendView, { worn, now }: { worn: boolean; now: number }): Decision {
  const before = viewOf(roster.world, child);
  const shown = child.instance ? view : { ...view, held: roster.held.get(view.name), next: before?.next };
  const next = { ...roster, world: before ? withView(roster.world, shown) : inOrder(roster, withView(roster.world, shown)) };
  const lost = before?.state === 'connected' && view.state !== 'connected' && view.state !== 'idle' && !child.instance;
  const [settled, effects] = lost ? restartDependants(next, view.name, now) : [next, []];
  if (!worn || !maySpawn(roster) || roster.successors.has(idOf(child))) return [settled, effects];
  const [replacing, more] = replaced(settled, child, now);
  return [replacing, [...effects, ...more]];
}

/** Backends show in the order of their configuration, whenever they came. */
const inOrder = ({ specs }: Roster, world: Roster['world']): Roster['world'] => ({
  ...world,
  backends: ordered(world.backends, [...specs.keys()]),
});

/** A successor that is connected takes over; until then its backend shows how far it is. */
function successorObserved(roster: Roster, id: ChildId, view: BackendView, now: number): Decision {
  if (view.state === 'connected') {
    return sequence(
      roster,
      (current) => promoted(current, id, view, now),
      (current) => restartDependants(current, view.name, now),
    );
  }
  const current = roster.world.backends.get(view.name);
  if (!current) return [roster, []];
  const { generation, state, since, lastError, retryAt } = view;
  // What its predecessor died of is not its own error.
  const own = view.failures > 0 ? lastError : undefined;
  const next: Successor = { generation, state, since, lastError: own, retryAt };
  return [{ ...roster, world: withView(roster.world, { ...current, next }) }, []];
}

/** `rest_for_one`: those that depend on a backend that was lost are started again after it. */
function restartDependants(roster: Roster, name: string, now: number): Decision {
  if (roster.strategy !== 'rest_for_one' || !maySpawn(roster)) return [roster, []];
  const steps = [...roster.specs.values()]
    .filter((spec) => spec.dependsOn.includes(name))
    .map((spec) => (current: Roster): Decision => {
      const child = currentChild(current, spec.name);
      const state = current.world.backends.get(spec.name)?.state;
      if (!child || (state !== 'connected' && state !== 'starting')) return [current, []];
      return sequence(
        current,
        (latest) => replaced(latest, { ...child, fresh: true }, now, { stopFirst: true }),
        (latest) => restartDependants(latest, spec.name, now),
      );
    });
  return sequence(roster, ...steps);
}

/** Gives free start slots to those who wait longest and whose dependencies are there. */
export function granted(roster: Roster, startsAtOnce: number): Decision {
  if (roster.world.phase !== 'running') return [roster, []];
  const [current, woken] = showUnmet(roster);
  const free = Math.max(0, startsAtOnce - current.launching.length);
  if (free === 0 || current.waiting.length === 0) return [current, woken];
  const ids = current.waiting.filter((id) => isReady(current, current.alive.get(id))).slice(0, free);
  if (ids.length === 0) return [current, woken];
  return [
    { ...current, waiting: current.waiting.filter((id) => !ids.includes(id)), launching: [...current.launching, ...ids] },
    [...woken, ...ids.map((id) => ({ type: 'start', id: id as ChildId }) as const)],
  ];
}

/** Everybody sees whom a start waits for; dependencies that sleep are woken. */
function showUnmet(roster: Roster): Decision {
  let { world } = roster;
  const effects: Effect[] = [];
  for (const [id, child] of roster.alive) {
    if (child.instance || child.spec.dependsOn.length === 0) continue;
    const view = world.backends.get(child.spec.name);
    if (!view || view.generation !== child.generation) continue;
    const waitsFor = roster.waiting.includes(id) ? unmet(roster, child) : [];
    if (waitsFor.join('\n') !== view.waitsFor.join('\n')) world = withView(world, { ...view, waitsFor });
    for (const name of waitsFor) {
      const dependency = world.backends.get(name)?.asleep ? currentChild(roster, name) : undefined;
      if (dependency) effects.push({ type: 'wake', id: childId(dependency) });
    }
  }
  return [world === roster.world ? roster : { ...roster, world }, effects];
}

/** A launching child was given its time: it goes on, but no longer holds others up. */
export function slotExpired(roster: Roster, id: ChildId): Decision {
  return [{ ...roster, launching: without(roster.launching, id) }, []];
}

/** A child ended in `stopped`: a backend stays in the World, an instance leaves it unless it is needed again. */
export function ended(roster: Roster, id: ChildId, now: number): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const next = removed(roster, id);
  const remove: Effect = { type: 'remove', id };
  const [settled, effects] = endOf(roster, next, child, now);
  return [settled, [remove, ...effects]];
}

function endOf(before: Roster, roster: Roster, child: Child, now: number): Decision {
  const { spec, instance, generation } = child;
  const key = idOf(child);
  const heir = roster.heirs.get(key);
  if (heir && !currentChild(roster, key)) {
    const next = { ...roster, heirs: withoutKey(roster.heirs, key) };
    return maySpawn(roster) ? spawned(next, heir) : stopShown(next, heir, now);
  }
  if (before.leaving.has(childId(child))) return [roster, []];
  if (before.successors.get(spec.name) === childId(child) && !instance) return [withoutSuccessor(roster, spec.name), []];
  if (!instance) return stopShown(roster, child, now);
  const again = roster.needed.get(instance.id);
  if (!again || !maySpawn(roster)) return [forgotten(roster, instance.id), []];
  return spawned(roster, { spec, instance: again, generation: generation + 1 });
}

/** A backend without an actor. Its successor, if it has one, is all there is of it then. */
function stopShown(roster: Roster, { spec, instance }: Child, now: number): Decision {
  if (instance) return [forgotten(roster, instance.id), []];
  const view = roster.world.backends.get(spec.name);
  if (!view) return [roster, []];
  const stopped: BackendView = { ...view, state: 'stopped', session: undefined, retryAt: undefined, asleep: false, since: now };
  return [{ ...roster, world: withView(roster.world, stopped) }, []];
}

function withoutSuccessor(roster: Roster, name: string): Roster {
  const view = roster.world.backends.get(name);
  const next = { ...roster, successors: withoutKey(roster.successors, name) };
  return view?.next ? { ...next, world: withView(next.world, { ...view, next: undefined }) } : next;
}

/** A child threw, which is a bug: its session is ended for it, and it is replaced while the budget lasts. */
export function crashed(
  roster: Roster,
  id: ChildId,
  thrown: unknown,
  time: { readonly now: number; readonly monotonic: number },
): Decision {
  const child = roster.alive.get(id);
  if (!child) return [roster, []];
  const { instance } = child;
  const key = idOf(child);
  const isSuccessor = roster.successors.get(key) === id;
  const view = viewOf(roster.world, child);
  const next = removed(roster, id);
  const effects: Effect[] = [{ type: 'remove', id }];
  if (roster.leaving.has(id) || roster.heirs.has(key)) {
    const [settled, more] = endOf(roster, next, child, time.now);
    return [settled, [...effects, ...more]];
  }
  if (view?.session && !isSuccessor)
    effects.push({ type: 'closeSession', id: idOf(child), generation: child.generation, session: view.session });
  if (instance && !roster.needed.has(instance.id)) return [forgotten(next, instance.id), effects];
  const failed = isSuccessor ? withoutSuccessor(next, key) : crashShown(next, child, thrown, time.now);
  const [settled, more] = respawned(failed, child, { isSuccessor, monotonic: time.monotonic });
  return [settled, [...effects, ...more]];
}

function crashShown(roster: Roster, child: Child, thrown: unknown, now: number): Roster {
  const view = viewOf(roster.world, child);
  if (!view) return roster;
  const lastError = bug(child, thrown);
  const failed: BackendView | InstanceView = { ...view, state: 'error', session: undefined, since: now, settled: true, lastError };
  return { ...roster, world: withView(roster.world, failed) };
}

/** One more than any child of that name that is still there, and than the one that crashed. */
function successorOf({ alive }: Roster, { generation, ...target }: Child): number {
  const others = [...alive.values()].filter((child) => idOf(child) === idOf(target)).map((child) => child.generation);
  return Math.max(generation, ...others) + 1;
}

function respawned(roster: Roster, child: Child, { isSuccessor, monotonic }: { isSuccessor: boolean; monotonic: number }): Decision {
  const { spec, instance } = child;
  const current = instance && roster.needed.get(instance.id);
  const again = {
    spec,
    instance: current,
    generation: successorOf(roster, child),
    awake: child.awake,
    ...(isSuccessor && { beside: true }),
  };
  const decision = maySpawn(roster) ? withinBudget(roster, again, monotonic) : undefined;
  if (decision && isSuccessor) {
    return [{ ...decision[0], successors: new Map(decision[0].successors).set(spec.name, childId(again)) }, decision[1]];
  }
  if (decision) return decision;
  // Its view stays, for whoever wants to know why it is not there; needed again, it is tried again.
  return [instance ? { ...roster, needed: withoutKey(roster.needed, instance.id) } : roster, []];
}

/** Everybody stops, the last started first; nobody before those that depend on it. */
export function stopping(roster: Roster): Decision {
  const dependants = (name: string) => [...roster.alive.values()].some(({ spec }) => spec.dependsOn.includes(name));
  const free = [...roster.alive].filter(([, { spec }]) => !dependants(spec.name));
  return [{ ...roster, heirs: new Map() }, free.reverse().map(([id]) => ({ type: 'stop', id: id as ChildId }))];
}

function bug(child: Child, thrown: unknown): OnemcpError {
  const { message } = asOnemcpError(thrown);
  return new OnemcpError('internal', `onemcp failed to supervise "${idOf(child)}": ${message}; please report it`, {
    server: child.spec.name,
    reason: 'internal',
  });
}
