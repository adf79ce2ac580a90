/** What a new configuration changes among the children. Who is not named by the plan is not touched. */
import type { BackendSpec, Plan } from '../config/config.ts';
import type { ConfigView, World } from '../world.ts';
import { replaced, startedAfter } from './handover.ts';
import { instancesDismissed } from './instances.ts';
import {
  type Child,
  childId,
  currentChild,
  type Decision,
  dismissed,
  type Effect,
  nextGeneration,
  ordered,
  type Roster,
  retaggedView,
  sequence,
  withoutKey,
  withView,
} from './roster.ts';

/** Applies a plan. */
export function configured(roster: Roster, plan: Plan, config: ConfigView, now: number): Decision {
  const [next, effects] = sequence(
    roster,
    ...plan.stop.map((name) => (latest: Roster) => retired(latest, name)),
    ...plan.retag.map((spec) => (latest: Roster) => retagged(latest, spec)),
    ...plan.swap.map((spec) => (latest: Roster) => swapped(latest, spec, now)),
    ...plan.start.map((spec) => (latest: Roster) => added(latest, spec, now)),
  );
  const backends = ordered(next.world.backends, plan.order);
  return [{ ...next, specs: ordered(next.specs, plan.order), world: { ...next.world, backends, config } }, effects];
}

/** It is gone for everybody at once; what it was asked before is still answered. */
function retired(roster: Roster, name: string): Decision {
  const children = [currentChild(roster, name), roster.alive.get(roster.successors.get(name) ?? '')].filter((child) => child !== undefined);
  const next: Roster = {
    ...roster,
    specs: withoutKey(roster.specs, name),
    successors: withoutKey(roster.successors, name),
    heirs: withoutKey(roster.heirs, name),
    held: withoutKey(roster.held, name),
    respawns: withoutKey(roster.respawns, name),
    stopped: new Set([...roster.stopped].filter((other) => other !== name)),
    world: { ...roster.world, backends: withoutKey(roster.world.backends, name) },
  };
  return sequence(
    next,
    (latest) => instancesDismissed(latest, name),
    ...children.map((child) => (latest: Roster) => dismissed(latest, child, true)),
    (latest) => [latest, roster.held.has(name) ? [{ type: 'unhold', name }] : []],
  );
}

/** What everybody is told changes; nothing is restarted. */
function retagged(roster: Roster, spec: BackendSpec): Decision {
  const { name } = spec;
  const alive = new Map<string, Child>();
  const effects: Effect[] = [];
  for (const [id, child] of roster.alive) {
    const changes = child.spec.name === name && !roster.leaving.has(id);
    alive.set(id, changes ? { ...child, spec } : child);
    if (changes) effects.push({ type: 'retag', id: childId(child), spec });
  }
  const heirs = new Map([...roster.heirs].map(([id, heir]) => [id, heir.spec.name === name ? { ...heir, spec } : heir]));
  return [{ ...roster, alive, heirs, specs: new Map(roster.specs).set(name, spec), world: retaggedWorld(roster.world, spec) }, effects];
}

function retaggedWorld(world: World, spec: BackendSpec): World {
  const views = [world.backends.get(spec.name), ...world.instances.values()].filter((view) => view?.name === spec.name);
  return views.reduce<World>((latest, view) => (view ? withView(latest, retaggedView(view, spec)) : latest), world);
}

/** One that an operator has stopped stays so; it is the new one that he will start. */
function swapped(roster: Roster, spec: BackendSpec, now: number): Decision {
  const next = { ...roster, specs: new Map(roster.specs).set(spec.name, spec) };
  if (roster.stopped.has(spec.name)) return [{ ...next, world: retaggedWorld(next.world, spec) }, []];
  return replaced(next, { spec, fresh: true }, now);
}

function added(roster: Roster, spec: BackendSpec, now: number): Decision {
  const next = { ...roster, specs: new Map(roster.specs).set(spec.name, spec) };
  return startedAfter(next, { spec, generation: nextGeneration(roster, spec.name) }, now);
}
