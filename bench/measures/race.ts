/** Several targets under the same load, side by side. */
import type { LoadRun } from '../results.ts';
import type { Target } from '../targets.ts';
import { load, type Plan } from './load.ts';
import type { Context } from './measure.ts';

/** A target under the name it has in the table. */
export type Entrant = readonly [name: string, target: Target];

/**
 * Runs every plan against every entrant, `rounds` times. Within a round the entrants follow each other at the same
 * plan, and each round begins with another one: noise that lasts longer than a run then hits all of them alike.
 */
export async function race(context: Context, entrants: readonly Entrant[], plans: readonly Plan[]): Promise<LoadRun[]> {
  const runs: LoadRun[] = [];
  for (const [name, target] of entrants) await attempt(context, name, target, warmUp(plans));
  for (let round = 1; round <= context.rounds; round++) {
    for (const plan of plans) {
      for (let place = 0; place < entrants.length; place++) {
        const [name, target] = entrants[(place + round) % entrants.length]!;
        const run = await attempt(context, name, target, plan);
        if (run) runs.push({ round, ...run });
      }
    }
  }
  return runs;
}

/** A first run whose figures nobody sees: just-in-time compilation must be over before the first round. */
function warmUp(plans: readonly Plan[]): Plan {
  const last = plans.at(-1)!;
  return { ...last, calls: Math.ceil(last.calls / 2), warmup: 0 };
}

async function attempt({ results, say }: Context, name: string, target: Target, plan: Plan): Promise<Omit<LoadRun, 'round'> | undefined> {
  try {
    const { firstError, ...run } = await load(name, target, plan);
    if (run.errors > 0) results.problems.push(`${name}, concurrency ${plan.concurrency}: ${run.errors} errors, first: ${firstError}`);
    say(`${name} c=${plan.concurrency}: ${Math.round(run.perSecond)}/s, ${run.cpu.toFixed(0)} µs CPU`);
    return run;
  } catch (error) {
    results.problems.push(`${name}, concurrency ${plan.concurrency}: ${(error as Error).message}`);
    return undefined;
  }
}
