/** tools/list with 1,000 tools: a big answer that a gateway may keep ready and a forwarder cannot. */
import { startForwarder, startGateway } from '../targets.ts';
import type { Measure } from './measure.ts';
import { race } from './race.ts';
import { startTogether, stopTogether } from './together.ts';

const TOOLS = 1_000;

/** Requests/s and CPU a request at concurrency 4. */
export const list: Measure = async (context) => {
  const behind = { stdio: 1, tools: TOOLS };
  const entrants = await startTogether(context, {
    'forwarder→stdio': () => startForwarder({ behind }),
    'onemcp→stdio': () => startGateway({ behind }),
  });
  const plan = { concurrency: 4, calls: context.quick ? 60 : 600, method: 'tools/list', tools: TOOLS } as const;
  context.results.list = await race(context, entrants, [plan]);
  await stopTogether(entrants);
};
