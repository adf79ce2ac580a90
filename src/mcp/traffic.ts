/** Requests of all clients in flight, so that a shutdown knows when the last one is answered. */
export interface Traffic {
  readonly inFlight: number;
  enter(): void;
  leave(): void;
  /** Resolves as soon as nothing is in flight, or when the signal aborts. */
  settled(signal: AbortSignal): Promise<void>;
}

export function createTraffic(): Traffic {
  let inFlight = 0;
  let waiting: (() => void)[] = [];
  return {
    get inFlight() {
      return inFlight;
    },
    enter: () => void inFlight++,
    leave() {
      if (--inFlight > 0) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
    settled(signal) {
      if (inFlight === 0 || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  };
}
