import { OnemcpError } from '../errors.ts';
import type { BackendView, CancelSignal } from '../world.ts';
import type { CallStats } from './callStats.ts';
import { NOTHING_SENT } from './retry.ts';

/** What a lane keeps to; a `BackendView` says it. */
export type LaneLimits = Pick<BackendView, 'name' | 'maxConcurrency' | 'maxQueue' | 'queueTimeout'>;

/** A request that waits for its backend: for a place, or for a connection. */
export interface Waiting {
  /** Monotonic milliseconds. */
  readonly since: number;
}

/** Requests that wait for one backend. */
export interface LaneStatus {
  readonly queued: number;
  /** Milliseconds that the oldest of them has waited. */
  readonly queueAgeMs: number;
}

/** The waiting requests of one client, the oldest first. */
interface Line {
  readonly client: object;
  readonly waiters: (() => void)[];
}

/** Bounds of what a refused client is told, and what it is told when nothing is known, milliseconds. */
const RETRY_AFTER = { least: 100, most: 30_000, unknown: 1_000 };
/** The part of a new interval in the mean of all. */
const SMOOTHING = 1 / 8;

/**
 * The way to one backend, over all its connections: a bounded number of places for requests in flight, and a line of
 * those that wait for one, served in turns of their clients. As long as there are places it only counts.
 */
export class Lane {
  /** Monotonic milliseconds until which requests wait for a backend that one of them woke. */
  wakingUntil = Number.NEGATIVE_INFINITY;
  /** The calls that came this way; undefined where nobody counts. */
  readonly stats: CallStats | undefined;
  readonly #now: () => number;
  readonly #turns: Line[] = [];
  readonly #waiting = new Set<Waiting>();
  #inFlight = 0;
  #places = Number.POSITIVE_INFINITY;
  /** Mean milliseconds between two turns, and when the last one was. */
  #pace: number | undefined;
  #lastTurn = 0;

  constructor(now: () => number, stats?: CallStats) {
    this.#now = now;
    this.stats = stats;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Nobody is in flight or waits. */
  get isEmpty(): boolean {
    return this.#inFlight === 0 && this.#waiting.size === 0;
  }

  /** Takes a place if one is free and nobody waits for it. Whoever has a place leaves it again. */
  tryEnter(places: number): boolean {
    this.#places = places;
    if (this.#inFlight >= places || this.#turns.length > 0) return false;
    this.#inFlight++;
    return true;
  }

  /** Gives a place back: to whose turn it is. */
  leave(): void {
    this.#inFlight--;
    if (this.#turns.length > 0) this.#serve();
  }

  /**
   * Lets a request wait, if there will be room for it when all before it have come: so nobody who was let in is refused
   * for the length of the line later.
   * @throws OnemcpError `busy`
   */
  admit(limits: LaneLimits): Waiting {
    if (this.#inFlight + this.#waiting.size >= limits.maxConcurrency + limits.maxQueue) throw this.busy(limits, 'queue-full');
    const waiting = { since: this.#now() };
    this.#waiting.add(waiting);
    return waiting;
  }

  /** Gives a place back that is of no use now, and waits on. */
  stepBack(waiting: Waiting): void {
    this.#waiting.add(waiting);
    this.leave();
  }

  /** A request that was admitted waits no longer. */
  dismiss(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /**
   * Waits for a place. FIFO within a client; clients in turns.
   * @param ms most milliseconds from now
   */
  turn(waiting: Waiting, client: object, { signal, ms }: { signal: CancelSignal; ms: number }): Promise<'entered' | 'late' | 'cancelled'> {
    if (signal.aborted) return Promise.resolve('cancelled');
    if (ms <= 0) return Promise.resolve('late');
    return new Promise((resolve) => {
      const finish = (outcome: 'entered' | 'late' | 'cancelled') => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const waiter = () => {
        // It is in flight from now on: counted twice it would take somebody else's room.
        this.#waiting.delete(waiting);
        finish('entered');
      };
      const quit = (outcome: 'late' | 'cancelled') => {
        this.#quit(line, waiter);
        finish(outcome);
      };
      const onAbort = () => quit('cancelled');
      const timer = setTimeout(quit, ms, 'late');
      signal.addEventListener('abort', onAbort);
      const line = this.#join(client, waiter);
      // The limit may have been raised since.
      this.#serve();
    });
  }

  /** Undefined while nobody waits. */
  status(): LaneStatus | undefined {
    if (this.#waiting.size === 0) return undefined;
    let oldest = Number.POSITIVE_INFINITY;
    for (const { since } of this.#waiting) oldest = Math.min(oldest, since);
    return { queued: this.#waiting.size, queueAgeMs: Math.round(this.#now() - oldest) };
  }

  /** The error for a request that was not served. */
  busy({ name, maxConcurrency, maxQueue, queueTimeout }: LaneLimits, reason: 'queue-full' | 'queue-timeout'): OnemcpError {
    const flight = `${this.#inFlight} requests in flight (maxConcurrency ${maxConcurrency})`;
    const why =
      reason === 'queue-full'
        ? `its queue is full, with ${flight} and ${this.#waiting.size} waiting (maxQueue ${maxQueue})`
        : `its queue gave the request no place within ${queueTimeout / 1000} s (queueTimeout), with ${flight}`;
    return new OnemcpError('busy', `Server "${name}" is busy: ${why}. ${NOTHING_SENT}`, {
      server: name,
      reason,
      retryable: true,
      retryAfterMs: this.#retryAfter(),
      sent: false,
    });
  }

  /** Milliseconds in which those who wait now should have been served, as fast as the last ones were. */
  #retryAfter(): number {
    const pace = this.#pace ?? RETRY_AFTER.unknown;
    // A backend that has become slow is not as fast as it was.
    const each = this.#turns.length > 0 ? Math.max(pace, this.#now() - this.#lastTurn) : pace;
    const ms = Math.ceil(each * Math.max(1, this.#waiting.size));
    return Math.min(RETRY_AFTER.most, Math.max(RETRY_AFTER.least, ms));
  }

  #serve(): void {
    while (this.#inFlight < this.#places) {
      const line = this.#turns.shift();
      const waiter = line?.waiters.shift();
      if (!line || !waiter) return;
      if (line.waiters.length > 0) this.#turns.push(line);
      this.#inFlight++;
      this.#measure();
      waiter();
    }
  }

  #measure(): void {
    const now = this.#now();
    const interval = now - this.#lastTurn;
    this.#lastTurn = now;
    this.#pace = this.#pace === undefined ? interval : this.#pace + (interval - this.#pace) * SMOOTHING;
  }

  #join(client: object, waiter: () => void): Line {
    if (this.#turns.length === 0) this.#lastTurn = this.#now();
    let line = this.#turns.find((other) => other.client === client);
    if (!line) {
      line = { client, waiters: [] };
      this.#turns.push(line);
    }
    line.waiters.push(waiter);
    return line;
  }

  #quit(line: Line, waiter: () => void): void {
    line.waiters.splice(line.waiters.indexOf(waiter), 1);
    if (line.waiters.length === 0) this.#turns.splice(this.#turns.indexOf(line), 1);
  }
}
