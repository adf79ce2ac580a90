/** Looks at a gateway from outside, again and again, until it is told to stop. */
import type { HealthBody } from '../../e2e/gateway.ts';
import { zombiesOf } from './proc.ts';

/** One look at `/health` and `/health/live`. */
export interface HealthSample {
  /** Milliseconds the slower of both took. */
  readonly took: number;
  readonly status: number;
  readonly live: number;
  readonly body?: HealthBody;
  readonly error?: string;
}

export interface Watched {
  readonly health: readonly HealthSample[];
  /** Children that had ended and were still not collected at the next look. */
  readonly zombies: readonly number[];
}

const EVERY_MS = 200;
const GIVE_UP_MS = 10_000;

export function startWatch(url: string, pid: number): { stop(): Promise<Watched> } {
  const health: HealthSample[] = [];
  const zombies = new Set<number>();
  let before: readonly number[] = [];
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      health.push(await look(url));
      const now = zombiesOf(pid);
      for (const zombie of now) if (before.includes(zombie)) zombies.add(zombie);
      before = now;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return {
    async stop() {
      stopped = true;
      await loop;
      return { health, zombies: [...zombies] };
    },
  };
}

async function look(url: string): Promise<HealthSample> {
  const began = performance.now();
  const signal = AbortSignal.timeout(GIVE_UP_MS);
  try {
    const [whole, live] = await Promise.all([fetch(`${url}/health`, { signal }), fetch(`${url}/health/live`, { signal })]);
    const body = (await whole.json()) as HealthBody;
    await live.arrayBuffer();
    return { took: performance.now() - began, status: whole.status, live: live.status, body };
  } catch (error) {
    return { took: performance.now() - began, status: 0, live: 0, error: String((error as Error).cause ?? error) };
  }
}
