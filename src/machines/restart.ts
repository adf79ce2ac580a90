/** The restart schedule as pure functions of times and randomness. */

export interface Backoff {
  /** Upper bound of the first delay, milliseconds. */
  readonly initial: number;
  /** Upper bound of any delay, milliseconds. */
  readonly max: number;
}

/**
 * Full-jitter exponential backoff: a random share of `min(max, initial × 2ⁿ)`, so that backends that died together do
 * not come back together.
 * @param failures consecutive failures so far, from 1
 * @param random in [0, 1)
 */
export function restartDelay(failures: number, random: number, { initial, max }: Backoff): number {
  return Math.round(random * Math.min(max, initial * 2 ** Math.min(failures - 1, 30)));
}

/** A sliding window of restart times, as OTP supervisors keep it: a healthy hour forgives by itself. */
export interface RestartBudget {
  readonly restarts: number;
  /** Milliseconds. */
  readonly within: number;
}

/** The times that still count at `now`, with `now` added, or undefined when the budget is spent. */
export function spendRestart(times: readonly number[], now: number, budget: RestartBudget): readonly number[] | undefined {
  const recent = times.filter((time) => time > now - budget.within);
  return recent.length < budget.restarts ? [...recent, now] : undefined;
}
