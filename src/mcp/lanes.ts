import type { Limits } from '../limits.ts';
import type { World } from '../world.ts';
import { CallStats } from './callStats.ts';
import { Lane, type LaneStatus } from './lane.ts';

/** The lanes of all backends. */
export interface Lanes {
  of(backend: string): Lane;
  /** The lane of a backend, if a request has been there. */
  find(backend: string): Lane | undefined;
  /** Requests that belong to no backend; undefined where nobody counts. */
  readonly unrouted: CallStats | undefined;
  /** Undefined while nobody waits for a backend. */
  statusOf(backend: string): LaneStatus | undefined;
  /** Starts a sleeping backend; who waits for it may do so for `wakeWait`. */
  wake(backend: string): void;
}

export interface LanesOptions {
  readonly world: () => World;
  readonly limits: Limits;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wake: (backend: string) => void;
  /** Counts the calls. */
  readonly counts?: boolean | undefined;
}

export function createLanes({ world, limits, now, wake, counts }: LanesOptions): Lanes {
  const lanes = new Map<string, Lane>();

  const add = (backend: string): Lane => {
    // Those of backends that are no longer configured.
    for (const [name, lane] of lanes) if (lane.isEmpty && !world().backends.has(name)) lanes.delete(name);
    const lane = new Lane(now, counts ? new CallStats() : undefined);
    lanes.set(backend, lane);
    return lane;
  };
  const of = (backend: string): Lane => lanes.get(backend) ?? add(backend);

  return {
    of,
    find: (backend) => lanes.get(backend),
    unrouted: counts ? new CallStats() : undefined,
    statusOf: (backend) => lanes.get(backend)?.status(),
    wake(backend) {
      of(backend).wakingUntil = now() + limits.wakeWait;
      wake(backend);
    },
  };
}
