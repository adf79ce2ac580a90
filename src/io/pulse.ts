import { OnemcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { BackendSession } from '../world.ts';
import { createAlarm } from './alarm.ts';

export interface PulseOptions {
  /** Name of the backend, for the error. */
  readonly name: string;
  readonly limits: Limits;
  /** It gave no sign of life. Once. */
  readonly onDead: (error: OnemcpError) => void;
}

/** A ping whose deadline came this much too late says more about us than about the backend. */
const STALLED_MS = 1_000;

/**
 * Asks a silent backend for a sign of life: one that is frozen, or at the far end of a connection that is only half there,
 * says nothing of it. Whatever it sends is a sign of life, an error too. While it works on requests nothing is asked: many
 * servers can do one thing at a time. A request that timed out is reason to ask at once, and to believe the first silence.
 * MCP basic/utilities/ping.
 * @returns the end of the asking
 */
export function watchPulse(session: BackendSession, { name, limits, onDead }: PulseOptions): () => void {
  const interval = limits['ping.interval'];
  const timeout = limits['ping.timeout'];
  if (interval === 0) return () => {};
  const ended = new AbortController();
  let misses = 0;
  let suspected = false;
  let asking = false;

  const look = () => {
    const silence = performance.now() - session.lastReceived;
    if (silence < interval) alarm.set(interval - silence);
    else if (session.inFlight > 0) alarm.set(interval / 4);
    else void ask();
  };
  const alarm = createAlarm(look);

  const ask = async () => {
    asking = true;
    alarm.off();
    const askedAt = performance.now();
    const answered = await session.request('ping', undefined, { timeoutMs: timeout, totalTimeoutMs: timeout, signal: ended.signal }).then(
      () => true,
      (error) => !(error instanceof OnemcpError && UNANSWERED.has(error.code)),
    );
    asking = false;
    if (ended.signal.aborted) return;
    if (answered || session.lastReceived > askedAt) {
      misses = 0;
      suspected = false;
      alarm.set(interval);
    } else {
      if (performance.now() - askedAt < timeout + STALLED_MS) misses++;
      if (misses < (suspected ? 1 : limits['ping.misses'])) return void ask();
      ended.abort();
      onDead(unresponsive(name, misses, timeout));
    }
  };

  const unsubscribe = session.subscribe((event) => {
    if (event.type !== 'timedOut') return;
    suspected = true;
    if (!asking && !ended.signal.aborted) void ask();
  });
  alarm.set(interval);

  return () => {
    ended.abort();
    alarm.off();
    unsubscribe();
  };
}

/** What a ping may fail with that is no answer. */
const UNANSWERED: ReadonlySet<string> = new Set(['timeout', 'busy', 'connection_failed']);

const unresponsive = (server: string, misses: number, timeoutMs: number) =>
  new OnemcpError(
    'unresponsive',
    `"${server}" did not answer ${misses === 1 ? 'a ping' : `${misses} pings`} within ${timeoutMs / 1000} s${misses === 1 ? '' : ' each'}; it is restarted (ping.timeout)`,
    { server, reason: 'unresponsive', retryable: true },
  );
