import type { Limits } from '../limits.ts';
import type { World } from '../world.ts';
import { Lane, type LaneStatus } from './lane.ts';

/** The lanes of all backends. */
export interface Lanes {
  of(backend: string): Lane;
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
}

export function createLanes({ world, limits, now, wake }: LanesOptions): Lanes {
  const lanes = new Map<string, Lane>();

  const add = (backend: string): Lane => {
    // Those of backends that are no longer configured.
    for (const [name, lane] of lanes) if (lane.isEmpty && !world().backends.has(name)) lanes.delete(name);
    const lane = new Lane(now);
    lanes.set(backend, lane);
    return lane;
  };
  const of = (backend: string): Lane => lanes.get(backend) ?? add(backend);

  return {
    of,
    statusOf: (backend) => lanes.get(backend)?.status(),
    wake(backend) {
      of(backend).wakingUntil = now() + limits.wakeWait;
      wake(backend);
    },
  };
}
