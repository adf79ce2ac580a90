/** Starting and ending the targets of one measure. */
import type { Target } from '../targets.ts';
import type { Context } from './measure.ts';
import type { Entrant } from './race.ts';

/** Starts the given targets; one that does not start is a problem of the run, not its end. */
export async function startTogether(context: Context, starts: Readonly<Record<string, () => Promise<Target>>>): Promise<Entrant[]> {
  const entrants: Entrant[] = [];
  for (const [name, start] of Object.entries(starts)) {
    if (name.startsWith('onemcp') && !context.gateway) continue;
    try {
      entrants.push([name, await start()]);
    } catch (error) {
      context.results.problems.push(`${name} did not start: ${(error as Error).message}`);
    }
  }
  return entrants;
}

/** Ends them all. */
export async function stopTogether(entrants: readonly Entrant[]): Promise<void> {
  await Promise.all(entrants.map(([, target]) => target.stop()));
}
