/** One timer that is set again and again, and never keeps the process alive. */
export interface Alarm {
  /** Replaces what was set. */
  set(ms: number): void;
  off(): void;
}

/** Node takes a longer timeout for none at all. */
const LONGEST_MS = 2 ** 31 - 1;

export function createAlarm(ring: () => void): Alarm {
  let timer: NodeJS.Timeout | undefined;
  const off = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    set(ms) {
      off();
      timer = setTimeout(ring, Math.min(Math.max(ms, 0), LONGEST_MS)).unref();
    },
    off,
  };
}
