/** An open-loop load: calls leave when they are due, however long others take, and each answer is looked at. */

export interface LoadResult {
  readonly sent: number;
  /** Milliseconds from the moment each call was due, in the order of the answers. */
  readonly latencies: readonly number[];
  readonly failures: readonly string[];
}

export interface Load {
  /** Sends no more, waits for what is under way, at most `grace` milliseconds: what is missing then has failed. */
  stop(grace?: number): Promise<LoadResult>;
}

/**
 * @param echo sends a nonce and gives the text of the answer
 * @param rate calls a second
 */
export function startLoad(echo: (nonce: string) => Promise<string>, rate = 20): Load {
  const began = performance.now();
  const latencies: number[] = [];
  const failures: string[] = [];
  const waiting = new Set<Promise<void>>();
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;

  const one = async (nonce: string, due: number) => {
    try {
      const text = await echo(nonce);
      if (text.includes(nonce)) latencies.push(performance.now() - due);
      else failures.push(`another answer than ${nonce}: ${text.slice(0, 200)}`);
    } catch (error) {
      failures.push((error as Error).message);
    }
  };
  const tick = () => {
    for (let due = began + (sent * 1000) / rate; due <= performance.now(); due = began + (sent * 1000) / rate) {
      const call = one(`nonce-${sent++}-${Math.random().toString(36).slice(2)}.`, due);
      waiting.add(call);
      void call.finally(() => waiting.delete(call));
    }
    timer = setTimeout(tick, Math.max(0, began + (sent * 1000) / rate - performance.now()));
  };
  tick();

  return {
    async stop(grace = 5000) {
      clearTimeout(timer);
      let late: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        late = setTimeout(resolve, grace);
      });
      await Promise.race([Promise.all(waiting), patience]);
      clearTimeout(late);
      const missing = Array.from({ length: waiting.size }, () => `not answered ${grace} ms after the end of the load`);
      return { sent, latencies: [...latencies], failures: [...failures, ...missing] };
    },
  };
}

/** The nearest rank: the smallest value that is not below `share` of all; Infinity of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.POSITIVE_INFINITY;
}

export const p99Of = ({ latencies }: LoadResult): number => quantile(latencies, 0.99);

/** Two measurements of the same as one. */
export const pool = (first: LoadResult, second: LoadResult): LoadResult => ({
  sent: first.sent + second.sent,
  latencies: [...first.latencies, ...second.latencies],
  failures: [...first.failures, ...second.failures],
});
