/** How one generation of a backend takes the place of another. */
import type { BackendView } from '../world.ts';
import { idOf } from './backend.ts';
import {
  type Child,
  type ChildId,
  childId,
  currentChild,
  type Decision,
  dismissed,
  nextGeneration,
  type Roster,
  sequence,
  spawned,
  upcomingView,
  viewOf,
  withoutKey,
  withView,
} from './roster.ts';

/**
 * A new generation is to be there, of a specification that may have changed. Blue/green: a connected one serves until its
 * successor is connected; with `stop-first`, or when there is nothing that serves, the old one ends before the new one
 * starts.
 */
export function replaced(roster: Roster, wanted: Omit<Child, 'generation'>, now: number, { stopFirst = false } = {}): Decision {
  const id = idOf(wanted);
  const [free, gone] = withoutSuccessor(roster, id);
  const child: Child = { ...wanted, generation: nextGeneration(free, id) };
  const current = currentChild(free, id);
  const view = viewOf(free.world, child);
  const serves = view?.state === 'connected' && current !== undefined;
  const [next, effects] =
    current === undefined
      ? startedAfter(free, child, now)
      : serves && !stopFirst && child.spec.handoff === 'swap' && !child.instance
        ? succeeded(free, child)
        : sequence(
            free,
            (latest) => dismissed(latest, current, serves && !stopFirst),
            (latest) => startedAfter(latest, child, now),
          );
  return [next, [...gone, ...effects]];
}

/** An earlier successor, if there is one, has no future any more. */
function withoutSuccessor(roster: Roster, name: string): Decision {
  const id = roster.successors.get(name);
  const child = id && roster.alive.get(id);
  if (!child) return [roster, []];
  return dismissed({ ...roster, successors: withoutKey(roster.successors, name) }, child, false);
}

/** Blue/green: the new one starts beside the old one. */
function succeeded(roster: Roster, child: Child): Decision {
  const [next, effects] = spawned(roster, { ...child, awake: true, beside: true });
  return [{ ...next, successors: new Map(next.successors).set(child.spec.name, childId(child)) }, effects];
}

/** Spawned at once, or as soon as its predecessors have ended; shown as what it is about to be. */
export function startedAfter(roster: Roster, child: Child, now: number): Decision {
  const id = idOf(child);
  const view = viewOf(roster.world, child);
  const shown = view ? { ...roster, world: withView(roster.world, upcomingView(view, child.spec, child.generation, now)) } : roster;
  const alone = ![...roster.alive.values()].some((other) => idOf(other) === id);
  if (alone) return spawned(shown, child);
  return [{ ...shown, heirs: new Map(shown.heirs).set(id, child) }, []];
}

/** A successor is connected: it is the backend now, and its predecessor finishes what it was asked. */
export function promoted(roster: Roster, id: ChildId, view: BackendView, now: number): Decision {
  const { name } = view;
  const predecessor = currentChild(roster, name);
  const child = roster.alive.get(id) as Child;
  const shown = { ...view, held: roster.held.get(name), next: undefined };
  // Whatever generation its predecessor has by now: one that crashed was replaced by a later one.
  const backends = new Map(roster.world.backends).set(name, shown);
  const next: Roster = { ...roster, successors: withoutKey(roster.successors, name), world: { ...roster.world, backends } };
  return sequence(
    next,
    (latest) => (predecessor ? dismissed(latest, predecessor, true) : [latest, []]),
    (latest) => instancesReplaced(latest, child, now),
  );
}

/** Connections for single clients follow: each has its own requests to finish first. */
function instancesReplaced(roster: Roster, { spec }: Child, now: number): Decision {
  const steps = [...roster.alive.values()]
    .filter((child) => child.instance && child.spec.name === spec.name && child.spec !== spec && !roster.leaving.has(childId(child)))
    .map((child) => (latest: Roster): Decision => {
      const { instance } = child;
      const needed = instance && latest.needed.get(instance.id);
      if (!needed) return [latest, []];
      const successor: Child = { spec, instance: needed, generation: nextGeneration(latest, needed.id), fresh: true };
      const known = latest.world.instances.get(needed.id);
      const shown = known
        ? { ...latest, world: withView(latest.world, { ...known, ...upcomingView(known, spec, successor.generation, now) }) }
        : latest;
      return sequence(
        shown,
        (current) => dismissed(current, child, true),
        (current) => spawned(current, successor),
      );
    });
  return sequence(roster, ...steps);
}
