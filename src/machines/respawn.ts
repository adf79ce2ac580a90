/** How often an actor of ours may crash. */
import { idOf } from './backend.ts';
import { type RestartBudget, spendRestart } from './restart.ts';
import { type Child, type Decision, type Roster, spawned } from './roster.ts';

/** What one backend actor may crash (a bug of ours, not a failure of the backend) before it is left down. */
export const RESPAWN_BUDGET: RestartBudget = { restarts: 5, within: 60_000 };

/** A child that takes the place of one that crashed; undefined when the budget is spent. */
export function withinBudget(roster: Roster, child: Child, monotonic: number): Decision | undefined {
  const id = idOf(child);
  const times = spendRestart(roster.respawns.get(id) ?? [], monotonic, RESPAWN_BUDGET);
  return times && spawned({ ...roster, respawns: new Map(roster.respawns).set(id, times) }, child);
}
