/** Memory of the gateway: idle with many backends, and what a session and an open stream add. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, eightAtOnce } from '../client.ts';
import { residentBytes } from '../proc.ts';
import type { Footprint, Memory } from '../results.ts';
import { startGateway, type Target } from '../targets.ts';
import { footprint } from './footprint.ts';
import type { Measure } from './measure.ts';

const BACKENDS = 20;

/** Of the gateway process only: what its backends use is theirs. */
export const memory: Measure = async (context) => {
  if (!context.gateway) return;
  try {
    const idle = await idleFootprint(context.quick ? 500 : 3_000);
    context.say(`idle with ${BACKENDS} backends: ${(idle.idleRss / 2 ** 20).toFixed(1)} MiB`);
    const sessions = await sessionFootprint(context.quick ? 200 : 1_000);
    context.say(`a session: ${sessions.perSession.heap.toFixed(0)} bytes of heap, with a stream ${sessions.perStream.heap.toFixed(0)}`);
    context.results.memory.push({ target: 'onemcp', idleBackends: BACKENDS, ...idle, ...sessions });
  } catch (error) {
    context.results.problems.push(`memory: ${(error as Error).message}`);
  }
};

async function idleFootprint(idleMs: number): Promise<Pick<Memory, 'idleRss' | 'idle'>> {
  const gateway = await startGateway({ behind: { stdio: BACKENDS }, probe: true });
  try {
    await sleep(idleMs);
    const idleRss = residentBytes(gateway.child.pid);
    return { idleRss, idle: await footprint(gateway) };
  } finally {
    await gateway.stop();
  }
}

async function sessionFootprint(sessions: number): Promise<Pick<Memory, 'sessions' | 'perSession' | 'perStream'>> {
  const gateway = await startGateway({ behind: { stdio: 1 }, probe: true });
  try {
    // The first pass pays for compiled code and grown tables; the sessions of the second are what is counted.
    const early = await open(gateway, Math.ceil(sessions / 5), true);
    await early.close();
    const before = await footprint(gateway);
    const plain = await open(gateway, sessions, false);
    const opened = await footprint(gateway);
    await eightAtOnce(plain.ids, plain.listen);
    const listening = await footprint(gateway);
    await plain.close();
    return { sessions, perSession: growth(before, opened, sessions), perStream: growth(before, listening, sessions) };
  } finally {
    await gateway.stop();
  }
}

async function open(gateway: Target, count: number, streams: boolean) {
  const client = createClient(gateway.url);
  const ids = await eightAtOnce(Array.from({ length: count }), () => client.open());
  if (streams) await eightAtOnce(ids, client.listen);
  return {
    ids,
    listen: client.listen,
    async close() {
      await eightAtOnce(ids, client.end);
      await client.close();
    },
  };
}

function growth(from: Footprint, to: Footprint, count: number) {
  return { rss: (to.rss - from.rss) / count, heap: (to.heap - from.heap) / count };
}
