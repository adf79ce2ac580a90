import type { BackendSession } from '../world.ts';
import { createAlarm } from './alarm.ts';

export interface IdlenessOptions {
  /** Milliseconds without a request; 0: for ever. */
  readonly idleTimeout: number;
  /** Whether it is needed although nothing is asked of it: a client waits for what it may say. */
  readonly isHeld: () => boolean;
  /** Nothing needs it. Again after another `idleTimeout`, as long as that is so. */
  readonly onIdle: () => void;
}

/** A watch whose setting may change while it goes on. */
export interface Watch {
  set(value: number): void;
  end(): void;
}

/** How often one that is busy or held is looked at again. */
const AGAIN_MS = 10_000;

/** Notices that nothing has been asked of a backend for a while. */
export function watchIdleness(session: BackendSession, { idleTimeout, isHeld, onIdle }: IdlenessOptions): Watch {
  let limit = idleTimeout;

  const look = () => {
    const left = session.lastRequested + limit - performance.now();
    if (left > 0) return alarm.set(left);
    const needed = session.inFlight > 0 || isHeld();
    alarm.set(needed ? Math.min(limit, AGAIN_MS) : limit);
    if (!needed) onIdle();
  };
  const alarm = createAlarm(look);

  const set = (value: number) => {
    limit = value;
    alarm.off();
    if (limit > 0) alarm.set(session.lastRequested + limit - performance.now());
  };
  set(idleTimeout);
  return { set, end: alarm.off };
}
