/** What use leaves behind. The first pass may grow (code, tables, pools); a second equal one must not. */
import { createClient, eightAtOnce } from '../client.ts';
import type { Passes } from '../results.ts';
import { startForwarder, startGateway, type Target } from '../targets.ts';
import { footprint } from './footprint.ts';
import { load } from './load.ts';
import type { Context, Measure } from './measure.ts';
import { startTogether, stopTogether } from './together.ts';

/** 10,000 calls, then 1,000 sessions opened and deleted, without and with streams, each twice; the forwarder shows what Node itself keeps. */
export const leaks: Measure = async (context) => {
  const options = { behind: { stdio: 1 }, probe: true } as const;
  const entrants = await startTogether(context, {
    'forwarder→stdio': () => startForwarder(options),
    'onemcp→stdio': () => startGateway(options),
  });
  const [callCount, sessionCount] = context.quick ? [1_000, 100] : [10_000, 1_000];
  for (const [name, target] of entrants) {
    await passes(context, name, target, `${callCount} calls`, async () => {
      const { errors, firstError } = await load(name, target, { concurrency: 16, calls: callCount });
      if (errors > 0) throw new Error(`${errors} errors, first: ${firstError}`);
    });
    await passes(context, name, target, `${sessionCount} sessions`, () => openAndEnd(target, sessionCount, false));
    if (!name.startsWith('onemcp')) continue;
    await passes(context, name, target, `${sessionCount} sessions with streams`, () => openAndEnd(target, sessionCount, true));
  }
  await stopTogether(entrants);
};

async function passes(context: Context, name: string, target: Target, use: string, once: () => Promise<void>): Promise<void> {
  try {
    const before = await footprint(target);
    await once();
    const first = await footprint(target);
    await once();
    const second = await footprint(target);
    const row: Passes = { target: name, use, before, first, second };
    context.results.leaks.push(row);
    context.say(`${name} after ${use} twice: RSS ${((second.rss - first.rss) / 1024).toFixed(0)} KiB, fds ${second.fds - first.fds}`);
  } catch (error) {
    context.results.problems.push(`${name}, leak check of ${use}: ${(error as Error).message}`);
  }
}

async function openAndEnd(target: Target, count: number, streams: boolean): Promise<void> {
  const client = createClient(target.url);
  const ids = await eightAtOnce(Array.from({ length: count }), () => client.open());
  if (streams) await eightAtOnce(ids, client.listen);
  await eightAtOnce(ids, client.end);
  await client.close();
}
