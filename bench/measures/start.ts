/** From spawn to the first answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../client.ts';
import type { StartRun } from '../results.ts';
import { newHome, startForwarder, startGateway, type Target } from '../targets.ts';
import type { Measure } from './measure.ts';

const BACKENDS = 3;
/** Slow enough that none is up when the lists are there. */
const KNOWN = { stdio: 20, tools: 10, delay: 3_000 };
const LIMIT_MS = 30_000;
const POLL_MS = 10;

/**
 * The gateway with three stdio backends next to the forwarder with its one, in turn; and a restarted gateway, which knows
 * twenty slow ones.
 */
export const start: Measure = async (context) => {
  const spawns = context.quick ? 1 : Math.max(10, context.rounds);
  const home = context.gateway ? newHome() : '';
  if (context.gateway) await (await startGateway({ behind: { ...KNOWN, delay: 0 }, home })).stop();
  for (let round = 1; round <= spawns; round++) {
    for (const [name, begin, tools] of [
      ['forwarder→stdio', () => startForwarder({ behind: { stdio: 1 }, early: true }), 1],
      ['onemcp→3 stdio', () => startGateway({ behind: { stdio: BACKENDS }, early: true }), BACKENDS],
      ['onemcp→20 known', () => startGateway({ behind: KNOWN, early: true, home }), KNOWN.stdio * KNOWN.tools],
    ] as const) {
      if (name.startsWith('onemcp') && !context.gateway) continue;
      try {
        const run = await firstAnswers(name, begin, tools);
        context.results.start.push({ round, ...run });
        context.say(`${name} start: ${run.initialize.toFixed(0)} ms to initialize, ${run.list.toFixed(0)} ms to tools/list`);
      } catch (error) {
        context.results.problems.push(`${name} start: ${(error as Error).message}`);
      }
    }
  }
};

async function firstAnswers(name: string, begin: () => Promise<Target>, tools: number): Promise<Omit<StartRun, 'round'>> {
  const from = performance.now();
  const target = await begin();
  const client = createClient(target.url);
  try {
    const session = await until(target, () => client.open());
    const initialize = performance.now() - from;
    await until(target, () => allTools(client, session, tools));
    return { target: name, initialize, list: performance.now() - from };
  } finally {
    await client.close();
    await target.stop();
  }
}

async function allTools(client: Client, session: string, count: number): Promise<void> {
  const { tools } = await client.request(session, 'tools/list');
  const found = Array.isArray(tools) ? tools.length : 0;
  if (found !== count) throw new Error(`${found} of ${count} tools`);
}

/** Tries until it succeeds: until it listens, a connection is refused at once, which costs next to nothing. */
async function until<T>({ child }: Target, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (child.exited()) throw new Error(`ended: ${child.stderr()}`);
      if (Date.now() > deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}
