/** What an operator asks of one backend. */
import type { Operation } from '../world.ts';
import { replaced } from './handover.ts';
import { instancesDismissed } from './instances.ts';
import { childId, currentChild, type Decision, dismissed, maySpawn, type Roster, sequence, withoutKey, withView } from './roster.ts';

/** Unknown names are ignored: whoever asks has looked. */
export function operated(roster: Roster, operation: Operation, now: number): Decision {
  if (!roster.specs.has(operation.name) || !maySpawn(roster)) return [roster, []];
  switch (operation.op) {
    case 'stop':
      return stopped(roster, operation.name, now);
    case 'start':
      return started(roster, operation.name, now);
    case 'restart':
      return restarted(roster, operation.name, now);
    case 'drain':
      return held(roster, operation.name, { since: now, ms: operation.holdMs });
    case 'resume':
      return resumed(roster, operation.name);
  }
}

/** It stays stopped until it is started again, whatever its configuration becomes. */
function stopped(roster: Roster, name: string, now: number): Decision {
  if (roster.stopped.has(name)) return [roster, []];
  const current = currentChild(roster, name);
  const successor = roster.alive.get(roster.successors.get(name) ?? '');
  const view = roster.world.backends.get(name);
  const next: Roster = {
    ...roster,
    stopped: new Set(roster.stopped).add(name),
    successors: withoutKey(roster.successors, name),
    heirs: withoutKey(roster.heirs, name),
  };
  // Without an actor nothing will ever say that it has ended.
  const gone =
    !current && view ? { ...view, state: 'stopped' as const, session: undefined, retryAt: undefined, asleep: false, since: now } : view;
  return sequence(
    gone ? { ...next, world: withView(next.world, { ...gone, next: undefined }) } : next,
    (latest) => instancesDismissed(latest, name),
    (latest) => (successor ? dismissed(latest, successor, false) : [latest, []]),
    (latest) => [latest, current ? [{ type: 'stop', id: childId(current), finish: true }] : []],
  );
}

function started(roster: Roster, name: string, now: number): Decision {
  const view = roster.world.backends.get(name);
  const current = currentChild(roster, name);
  const next = withoutStopped(roster, name);
  if (current && view?.asleep) return [next, [{ type: 'wake', id: childId(current) }]];
  const onItsWay = view?.state === 'connected' || view?.state === 'starting' || view?.state === 'idle';
  return onItsWay ? [next, []] : restarted(next, name, now);
}

function restarted(roster: Roster, name: string, now: number): Decision {
  const spec = roster.specs.get(name);
  return spec ? replaced(withoutStopped(roster, name), { spec, fresh: true, awake: true }, now) : [roster, []];
}

const withoutStopped = (roster: Roster, name: string): Roster =>
  roster.stopped.has(name) ? { ...roster, stopped: new Set([...roster.stopped].filter((other) => other !== name)) } : roster;

function held(roster: Roster, name: string, { since, ms }: { since: number; ms: number | undefined }): Decision {
  const hold = { since, until: ms === undefined ? undefined : since + ms };
  const next = { ...roster, held: new Map(roster.held).set(name, hold) };
  return [shownHeld(next, name), [ms === undefined ? { type: 'unhold', name } : { type: 'hold', name, ms }]];
}

/** Requests go on. */
export function resumed(roster: Roster, name: string): Decision {
  if (!roster.held.has(name)) return [roster, []];
  return [shownHeld({ ...roster, held: withoutKey(roster.held, name) }, name), [{ type: 'unhold', name }]];
}

function shownHeld(roster: Roster, name: string): Roster {
  const view = roster.world.backends.get(name);
  return view ? { ...roster, world: withView(roster.world, { ...view, held: roster.held.get(name) }) } : roster;
}
