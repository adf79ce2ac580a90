/** Who is there: the supervisor's own books, and the small changes that its decisions are made of. */
import type { BackendSpec } from '../config/config.ts';
import type { BackendSession, BackendView, Instance, InstanceView, World } from '../world.ts';
import { configuredView, idOf, type Target } from './backend.ts';

/** One child: the actor of one generation of a backend, or of an instance of one. */
export interface Child extends Target {
  readonly generation: number;
  /** The failures of earlier generations do not count. */
  readonly fresh?: boolean | undefined;
  /** Starts although it is lazy. */
  readonly awake?: boolean | undefined;
  /** Its predecessor may still be there. */
  readonly beside?: boolean | undefined;
}

/** Ids of backend actors hold a `#`; other children of the root have plain names. */
export type ChildId = `${string}#${number}`;

/** Who is there, who waits and who launches. Guards get no `self`, so the root keeps this itself. */
export interface Roster {
  readonly world: World;
  readonly strategy: 'one_for_one' | 'rest_for_one';
  /** Enabled backends by name: what is wanted. */
  readonly specs: ReadonlyMap<string, BackendSpec>;
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
  /** Children on their way out whose place is taken, or gone: their end is nobody's end. */
  readonly leaving: ReadonlySet<string>;
  /** Children that are to take a connected backend's place once they are connected themselves, by backend. */
  readonly successors: ReadonlyMap<string, ChildId>;
  /** Children that are spawned as soon as those before them have ended, by what `idOf` says. */
  readonly heirs: ReadonlyMap<string, Child>;
  /** Backends that an operator has stopped. */
  readonly stopped: ReadonlySet<string>;
  /** Backends that get no requests, by wish of an operator. */
  readonly held: ReadonlyMap<string, NonNullable<BackendView['held']>>;
}

export type Effect =
  | { readonly type: 'spawn'; readonly id: ChildId; readonly child: Child; readonly previous: BackendView | undefined }
  /** `finish`: its requests in flight come first. */
  | { readonly type: 'stop'; readonly id: ChildId; readonly finish?: boolean }
  | { readonly type: 'start' | 'wake' | 'remove' | 'freeSlot'; readonly id: ChildId }
  | { readonly type: 'retag'; readonly id: ChildId; readonly spec: BackendSpec }
  | { readonly type: 'hold'; readonly name: string; readonly ms: number }
  | { readonly type: 'unhold'; readonly name: string }
  | { readonly type: 'closeSession'; readonly id: string; readonly generation: number; readonly session: BackendSession };

export type Decision = readonly [next: Roster, effects: readonly Effect[]];

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

export const childId = (child: Child): ChildId => `${idOf(child)}#${child.generation}`;

export const maySpawn = ({ world: { phase } }: Roster): boolean => phase === 'booting' || phase === 'running';

/** A child that is to run: it waits for a start slot as soon as it is not asleep. */
export function spawned(roster: Roster, child: Child): Decision {
  const id = childId(child);
  return [
    { ...roster, alive: new Map(roster.alive).set(id, child), waiting: [...roster.waiting, id] },
    [{ type: 'spawn', id, child, previous: viewOf(roster.world, child) }],
  ];
}

export const viewOf = ({ backends, instances }: World, { spec, instance }: Target): BackendView | undefined =>
  instance ? instances.get(instance.id) : backends.get(spec.name);

/** The child that is what `idOf` says of it: not one on its way out, nor a successor. There is never more than one. */
export function currentChild({ alive, leaving, successors }: Roster, id: string): Child | undefined {
  const successor = successors.get(id);
  for (const [key, child] of alive) if (key !== successor && !leaving.has(key) && idOf(child) === id) return child;
  return undefined;
}

/** A number that no child of that id ever had while its World was remembered. */
export function nextGeneration({ alive, world }: Roster, id: string): number {
  const view = world.instances.get(id) ?? world.backends.get(id);
  let last = view?.generation ?? -1;
  for (const child of alive.values()) if (idOf(child) === id) last = Math.max(last, child.generation);
  return last + 1;
}

/** A child is told to end; nobody waits for its end. */
export function dismissed(roster: Roster, child: Child, finish: boolean): Decision {
  const id = childId(child);
  return [{ ...roster, leaving: new Set(roster.leaving).add(id) }, [{ type: 'stop', id, finish }]];
}

/** A child has ended: none of the books mention it any more. */
export function removed(roster: Roster, id: string): Roster {
  const leaving = roster.leaving.has(id) ? new Set(roster.leaving) : roster.leaving;
  if (leaving !== roster.leaving) (leaving as Set<string>).delete(id);
  return {
    ...roster,
    alive: withoutKey(roster.alive, id),
    waiting: without(roster.waiting, id),
    launching: without(roster.launching, id),
    leaving,
  };
}

export const without = (ids: readonly string[], id: string): readonly string[] => ids.filter((other) => other !== id);

export function withoutKey<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  if (!map.has(key)) return map;
  const left = new Map(map);
  left.delete(key);
  return left;
}

/** The World with one view replaced; the order of the backends stays, and their map as well when an instance changes. */
export function withView(world: World, view: BackendView | InstanceView): World {
  const instance = 'instance' in view ? view : undefined;
  const known = instance ? world.instances.get(instance.instance.id) : world.backends.get(view.name);
  // A late snapshot of an old generation must not overwrite the view of the new one.
  if (known && known.generation > view.generation) return world;
  if (instance) return { ...world, instances: new Map(world.instances).set(instance.instance.id, instance) };
  return { ...world, backends: new Map(world.backends).set(view.name, view) };
}

/** A view with what its new specification says of it. */
export const retaggedView = <View extends BackendView>(view: View, spec: BackendSpec): View => ({ ...view, ...configuredView(spec) });

/** A backend shown as what it is about to be: its next generation, before there is an actor for it. */
export const upcomingView = (view: BackendView, spec: BackendSpec, generation: number, now: number): BackendView => ({
  ...view,
  ...configuredView(spec),
  state: 'idle',
  session: undefined,
  retryAt: undefined,
  asleep: false,
  next: undefined,
  since: now,
  generation,
});

/** A map in an order of its keys; what the order does not mention comes last. The same map if nothing moves. */
export function ordered<Value>(map: ReadonlyMap<string, Value>, order: readonly string[]): ReadonlyMap<string, Value> {
  const names = [...order.filter((name) => map.has(name)), ...[...map.keys()].filter((name) => !order.includes(name))];
  const same = [...map.keys()].every((name, index) => name === names[index]);
  return same ? map : new Map(names.map((name) => [name, map.get(name) as Value]));
}
