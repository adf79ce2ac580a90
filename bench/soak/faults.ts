/** The backends of a soak that fail: each turns to another fault every few seconds. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const FAULTS = ['good', 'crash', 'freeze', 'flood', 'garbage', 'slow', 'kill'] as const;

export interface FaultyBackend {
  readonly name: string;
  /** What the backend reads its fault from. */
  readonly file: string;
  /** SIGKILL from outside. */
  readonly kill: () => Promise<void>;
}

/** Switches one backend between faults until the signal; tells how often each was on. */
export async function trouble(
  { file, kill }: FaultyBackend,
  random: () => number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const turns = new Map<string, number>();
  while (!signal.aborted) {
    const fault = FAULTS[Math.floor(random() * FAULTS.length)] as (typeof FAULTS)[number];
    turns.set(fault, (turns.get(fault) ?? 0) + 1);
    writeFileSync(file, fault === 'kill' ? 'good' : fault);
    if (fault === 'kill') await kill();
    await sleep(2_000 + random() * 6_000, undefined, { signal }).catch(() => {});
    // Good times between bad ones, so that there is something to recover.
    writeFileSync(file, 'good');
    await sleep(1_000 + random() * 3_000, undefined, { signal }).catch(() => {});
  }
  return turns;
}
