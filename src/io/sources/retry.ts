import type { Discovered, DiscoveryHandlers } from './discovery.ts';

/** Milliseconds between two attempts: the first waits at most twice `initial`, each further one twice as long, none longer than `max`. */
export interface Retry {
  readonly initial: number;
  readonly max: number;
}

/** One attempt to look, from its connection to its end. */
export interface Turn {
  /** Aborted when the turn is over, for whatever reason. */
  readonly signal: AbortSignal;
  /** All that is there now; the same as before says only that the source works. */
  readonly found: (found: readonly Discovered[]) => void;
  /** The source works, with nothing new. */
  readonly works: () => void;
}

/**
 * Has turns one after the other until it is stopped. A turn that rejects is a problem of the source, whose text is for people;
 * one that resolves is none: a stream that ends is opened again.
 */
export function takeTurns(handlers: DiscoveryHandlers, retry: Retry, take: (turn: Turn) => Promise<void>): () => void {
  let stopped = false;
  let current: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;
  let delay = retry.initial;
  let problem: string | undefined;
  let told: string | undefined;

  const tell = (message: string | undefined) => {
    if (stopped || message === problem) return;
    problem = message;
    handlers.onProblem(message);
  };

  const run = async () => {
    const controller = new AbortController();
    const { signal } = controller;
    current = controller;
    const began = performance.now();
    let worked = false;
    const works = () => {
      if (signal.aborted) return;
      worked = true;
      tell(undefined);
    };
    const found = (all: readonly Discovered[]) => {
      works();
      const text = JSON.stringify(all);
      if (signal.aborted || text === told) return;
      told = text;
      handlers.onFound(all);
    };
    try {
      await take({ signal, works, found });
    } catch (error) {
      tell((error as Error).message);
    } finally {
      controller.abort();
    }
    if (stopped) return;
    // Not for one that works for a moment only: that would be a loop at full speed.
    if (worked && performance.now() - began > delay) delay = retry.initial;
    timer = setTimeout(() => void run(), Math.min(retry.max, delay * (1 + Math.random()))).unref();
    delay = Math.min(retry.max, delay * 2);
  };

  void run();
  return () => {
    stopped = true;
    clearTimeout(timer);
    current?.abort();
  };
}
