/** Connections to a backend besides its first: they come and go with the clients that need them. */
import type { BackendSpec } from '../config/config.ts';
import type { Instance, InstanceView } from '../world.ts';
import { startedAfter } from './handover.ts';
import { withinBudget } from './respawn.ts';
import {
  childId,
  currentChild,
  type Decision,
  dismissed,
  maySpawn,
  nextGeneration,
  type Roster,
  sequence,
  withoutKey,
  withView,
} from './roster.ts';

/**
 * An instance is to be there. One that is on its way out is shown as what it is about to be, and spawned when it has
 * ended: two generations of one connection never overlap. One that was left down for its crashes has the same budget still.
 */
export function needed(
  roster: Roster,
  spec: BackendSpec,
  instance: Instance,
  time: { readonly now: number; readonly monotonic: number },
): Decision {
  const { id } = instance;
  // A backend of that name would be taken for it.
  if (!maySpawn(roster) || roster.needed.has(id) || roster.world.backends.has(id) || roster.stopped.has(spec.name)) return [roster, []];
  const next = { ...roster, needed: new Map(roster.needed).set(id, instance) };
  const view = roster.world.instances.get(id);
  const leaving = currentChild(roster, id);
  if (leaving) {
    if (!view) return [next, []];
    const again: InstanceView = {
      ...view,
      instance,
      state: 'idle',
      session: undefined,
      retryAt: undefined,
      since: time.now,
      generation: leaving.generation + 1,
    };
    return [{ ...next, world: withView(next.world, again) }, []];
  }
  const generation = nextGeneration(roster, id);
  if (!roster.respawns.has(id)) return startedAfter(next, { spec, instance, generation }, time.now);
  return withinBudget(next, { spec, instance, generation }, time.monotonic) ?? [roster, []];
}

/** Nobody needs an instance any more: it is stopped, and forgotten when it has ended. */
export function released(roster: Roster, id: string, now: number): Decision {
  const child = currentChild(roster, id);
  // It was left down for its crashes, or there is nothing of that name.
  if (!child) return [roster.world.backends.has(id) ? roster : forgotten(roster, id), []];
  if (!roster.needed.has(id)) return [roster, []];
  const next = { ...roster, needed: withoutKey(roster.needed, id), heirs: withoutKey(roster.heirs, id) };
  const view = roster.world.instances.get(id);
  // Its end was waited for, to spawn it again.
  if (view && view.generation > child.generation) {
    return [{ ...next, world: withView(next.world, { ...view, state: 'stopping', since: now }) }, []];
  }
  return [next, [{ type: 'stop', id: childId(child) }]];
}

/** An instance leaves no trace. */
export function forgotten(roster: Roster, id: string): Roster {
  const { world, needed: wanted, respawns } = roster;
  if (!world.instances.has(id) && !wanted.has(id) && !respawns.has(id)) return roster;
  return {
    ...roster,
    world: world.instances.has(id) ? { ...world, instances: withoutKey(world.instances, id) } : world,
    needed: withoutKey(wanted, id),
    respawns: withoutKey(respawns, id),
  };
}

/** All of a backend are sent away, once what they were asked is done; who needs one again asks anew. */
export function instancesDismissed(roster: Roster, backend: string): Decision {
  const children = [...roster.alive.values()].filter(
    (child) => child.instance && child.spec.name === backend && !roster.leaving.has(childId(child)),
  );
  const [next, effects] = sequence(roster, ...children.map((child) => (latest: Roster) => dismissed(latest, child, true)));
  const ids = [...roster.world.instances.values()].filter(({ name }) => name === backend).map(({ instance }) => instance.id);
  const heirs = new Map([...next.heirs].filter(([, { spec, instance }]) => !(instance && spec.name === backend)));
  return [ids.reduce(forgotten, { ...next, heirs }), effects];
}
