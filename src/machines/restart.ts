/** The restart schedule as pure functions of times and randomness. */
import type { BackendSpec } from '../config/config.ts';
import type { OnemcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';

export interface Backoff {
  /** Lower bound of the first delay, milliseconds. */
  readonly initial: number;
  /** Upper bound of any delay, milliseconds. */
  readonly max: number;
}

/**
 * Exponential backoff with jitter: between half and all of `min(max, initial × 2ⁿ)`, so that backends that died together
 * do not come back together, and none comes back at once.
 * @param failures consecutive failures so far, from 1
 * @param random in [0, 1)
 */
export function restartDelay(failures: number, random: number, { initial, max }: Backoff): number {
  return Math.round(((1 + random) / 2) * Math.min(max, initial * 2 ** Math.min(failures, 30)));
}

/**
 * Time until the next probe of a failed backend: doubles with each, and a tenth of it is left to chance.
 * @param probes probes that failed, and the failure that made it one, from 1
 */
export function probeDelay(probes: number, random: number, { initial, max }: Backoff): number {
  return Math.round(Math.min(max, initial * (1 + random / 10) * 2 ** Math.min(probes - 1, 30)));
}

/** A sliding window of times, as OTP supervisors keep it: a healthy hour forgives by itself. */
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

/** Failures of a backend, as far as they decide what comes next. */
export interface FailureRecord {
  /** Monotonic milliseconds of those that count, the oldest first. */
  readonly times: readonly number[];
  /** While the circuit is open: the failure that opened it, and each probe that failed since. */
  readonly probes: number;
}

export const NO_FAILURES: FailureRecord = { times: [], probes: 0 };

/**
 * What comes after a failure: another start soon (`retry`), a start now and then (`probe`), none until somebody asks for
 * it (`give-up`), or the end, because it has done what it was there for (`end`).
 */
export type Verdict = 'retry' | 'probe' | 'give-up' | 'end';

export interface Failure {
  readonly error: OnemcpError;
  /** Whether it was connected, or failed to start. */
  readonly connected: boolean;
  /** Monotonic milliseconds. */
  readonly now: number;
}

/** The record with a failure added, and what comes next. */
export function judged(
  record: FailureRecord,
  { error, connected, now }: Failure,
  restart: BackendSpec['restart'],
  limits: Limits,
): readonly [FailureRecord, Verdict] {
  const within = limits['restart.within'];
  const times = [...record.times.filter((time) => time > now - within), now].slice(-limits['restart.failures']);
  const kept = { times, probes: record.probes };
  if (restart === 'on-failure' && connected && error.code === 'backend_exited' && error.data?.exitCode === 0) return [kept, 'end'];
  if (restart === 'never' || PERMANENT.has(error.code)) return [kept, 'give-up'];
  const opens = record.probes > 0 || times.length >= limits['restart.failures'] || isLasting(error);
  return opens ? [{ times, probes: record.probes + 1 }, 'probe'] : [kept, 'retry'];
}

/** What only another program, or another configuration, changes. */
const PERMANENT = new Set<OnemcpError['code']>(['unsupported_version']);

const NOT_INSTALLED = new Set<unknown>(['ENOENT', 'EACCES', 'ENOTDIR', 'EINVAL']);

/** What will most likely be the same in a second: nobody is hammered with it. */
function isLasting({ code, data, cause }: OnemcpError): boolean {
  if (code === 'spawn_failed') return NOT_INSTALLED.has((cause as { readonly code?: unknown } | undefined)?.code);
  return data?.retryable === false;
}
