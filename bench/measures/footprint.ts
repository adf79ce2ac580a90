/** Reading the footprint of a probed target. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openFiles } from '../proc.ts';
import type { Footprint } from '../results.ts';
import type { Target } from '../targets.ts';

const SETTLE_MS = 700;

/** RSS, heap with external memory, and descriptors, after a pause for closing sockets and a garbage collection. */
export async function footprint({ child }: Target): Promise<Footprint> {
  await sleep(SETTLE_MS);
  const { rss, heapUsed, external } = await child.memory();
  return { rss, heap: heapUsed + external, fds: openFiles(child.pid) };
}
