/** tools/call: throughput, latency and CPU a call of the gateway next to the forwarder and the bare backend. */
import { startForwarder, startGateway, startHttpBackend, startTracedGateway } from '../targets.ts';
import type { Plan } from './load.ts';
import type { Measure } from './measure.ts';
import { race } from './race.ts';
import { startTogether, stopTogether } from './together.ts';

const PLANS: readonly Plan[] = [
  { concurrency: 1, calls: 5_000 },
  { concurrency: 16, calls: 12_000 },
  { concurrency: 64, calls: 12_000 },
];
const QUICK: readonly Plan[] = PLANS.map((plan) => ({ ...plan, calls: 500 }));

/** Echo calls of about 100 bytes at concurrency 1, 16 and 64. */
export const calls: Measure = async (context) => {
  // One HTTP backend for all of them: its state of compilation is then the same for each of them.
  const backend = await startHttpBackend();
  const stdio = { stdio: 1 };
  const entrants = await startTogether(context, {
    direct: async () => backend,
    'forwarder→stdio': () => startForwarder({ behind: stdio }),
    'onemcp→stdio': () => startGateway({ behind: stdio }),
    'onemcp→stdio, metrics off': () => startGateway({ behind: stdio, options: { features: { metrics: false } } }),
    'onemcp→stdio, traces on': () => startTracedGateway({ behind: stdio }),
    'forwarder→http': () => startForwarder({ behind: backend }),
    'onemcp→http': () => startGateway({ behind: backend }),
  });
  context.results.calls = await race(context, entrants, context.quick ? QUICK : PLANS);
  await stopTogether(entrants);
};
