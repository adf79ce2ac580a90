import { LIMITS, type LimitName, type Unit } from '../limits.ts';
import { shortened } from './issue.ts';

/** Text form of a duration. */
export const DURATION = /^\d+(\.\d+)? ?(ms|s|m|h)$/;
/** Text form of a size. */
export const SIZE = /^\d+(\.\d+)? ?(B|KB|KiB|MB|MiB|GB|GiB)$/;

/** Beyond it a Node.js timer fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

const FACTORS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  B: 1,
  KB: 1000,
  KiB: 1024,
  MB: 1000 ** 2,
  MiB: 1024 ** 2,
  GB: 1000 ** 3,
  GiB: 1024 ** 3,
};

const WANTED: Readonly<Record<Unit, string>> = {
  ms: 'a number of milliseconds or text like "10s"',
  bytes: 'a number of bytes or text like "4MiB"',
  count: 'a whole number',
};

/** Limits for which 0 means "at once" or "none"; 0 of any other would stop the gateway from working. */
const MAY_BE_ZERO: ReadonlySet<LimitName> = new Set<LimitName>([
  'initialWait',
  'callWait',
  'drainTimeout',
  'shutdownTimeout',
  'startSlot',
  'restart.initial',
  'restart.max',
  'restart.resetAfter',
  'metricsCache',
  'ping.interval',
  'idleTimeout',
  'drainDelay',
  'maxMemory',
  'maxQueue',
  'queueTimeout',
  'catalog.saveDelay',
  'reload.quiet',
  'reload.poll',
  'alerts.after',
  'alerts.recoverAfter',
  'alerts.flushTimeout',
  'traces.flushTimeout',
  'secrets.poll',
  'history.transitions',
  'stop.stdin',
  'stop.term',
  'batch.quiet',
  'batch.max',
  'refresh.interval',
  'stderr.ringBytes',
  'sse.upgradeAfter',
  'sse.retry',
  'sse.maxConnection',
  'sse.replayFor',
  'instance.max',
  'humanTotalTimeout',
  'discovery.wait',
  'inspect.history',
]);

/** Limits that must be more than that. */
const LEAST: Partial<Readonly<Record<LimitName, { readonly value: number; readonly why: string }>>> = {
  // A namespace (32), "__", some of the own name (7), "_" and a hash (6).
  'name.maxLength': { value: 48, why: 'a shorter name has no room for its server' },
};

/** Smallest legal value of a limit, in its unit. */
export function smallest(name: LimitName): number {
  return LEAST[name]?.value ?? (MAY_BE_ZERO.has(name) ? 0 : 1);
}

/** A written value in its unit: milliseconds, bytes or a count. `undefined` when it is not of that unit. */
export function inUnit(value: unknown, unit: Unit): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'string' || unit === 'count' || !(unit === 'ms' ? DURATION : SIZE).test(value)) return undefined;
  const number = Number.parseFloat(value);
  const factor = FACTORS[value.replace(/^[\d. ]+/, '')] ?? Number.NaN;
  const whole = Math.round(number * factor);
  // 1.1 * 1000 is not exact: what counts is that nothing below the unit was asked for.
  return Math.abs(number * factor - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}

/** What is wrong with a written value of a limit, or `undefined`. */
export function complaint(value: unknown, name: LimitName): string | undefined {
  const unit = LIMITS[name].unit;
  const number = inUnit(value, unit);
  if (number === undefined) return `expected ${WANTED[unit]}, found ${found(value)}`;
  const least = smallest(name);
  if (number < least) {
    const why = LEAST[name] ? `; ${LEAST[name].why}` : '';
    return `expected ${WANTED[unit]}, ${least === 1 ? 'more than 0' : `${least} or more`}, found ${found(value)}${why}`;
  }
  if (unit === 'ms' && number > LONGEST_TIMER) return `expected at most ${LONGEST_TIMER} milliseconds (596h), found ${found(value)}`;
  return undefined;
}

/** A found value in words; only for options that never hold a credential. */
export function found(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'string') return value === '' ? 'an empty string' : JSON.stringify(shortened(value, 40));
  return kindOf(value);
}

/** The kind of a found value in words, without the value. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
