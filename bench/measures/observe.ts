/** tools/call: what being observed costs the gateway, against one that counts and logs nothing. */
import { startGateway } from '../targets.ts';
import type { Plan } from './load.ts';
import type { Measure } from './measure.ts';
import { race } from './race.ts';
import { startTogether, stopTogether } from './together.ts';

const PLANS: readonly Plan[] = [
  { concurrency: 1, calls: 5_000 },
  { concurrency: 16, calls: 12_000 },
];
const QUICK: readonly Plan[] = PLANS.map((plan) => ({ ...plan, calls: 500 }));

/** The row that all others of this measure are compared with. */
export const UNOBSERVED = 'onemcp, nothing on';

/** The same gateway four times in one race: counting, logging and both are switched on one after the other. */
export const observe: Measure = async (context) => {
  const behind = { stdio: 1 };
  const entrants = await startTogether(context, {
    [UNOBSERVED]: () => startGateway({ behind, options: { features: { metrics: false } } }),
    'onemcp, metrics': () => startGateway({ behind }),
    'onemcp, metrics and log info': () => startGateway({ behind, log: 'info' }),
    'onemcp, metrics and log debug': () => startGateway({ behind, log: 'debug' }),
  });
  context.results.observe = await race(context, entrants, context.quick ? QUICK : PLANS);
  await stopTogether(entrants);
};
