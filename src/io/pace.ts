import type { IoDeps } from './deps.ts';

/** An allowance of `rate` a second, of which `burst` may be saved up. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt = performance.now();

  constructor(rate: number, burst = rate) {
    this.#rate = rate;
    this.#burst = Math.max(burst, 1);
    this.#tokens = this.#burst;
  }

  /** @param now of `performance.now` */
  take(now: number): boolean {
    if (!this.has(now)) return false;
    this.#tokens--;
    return true;
  }

  has(now: number): boolean {
    if (this.#tokens >= 1) return true;
    // Only an empty one is filled: what is full needs no arithmetic.
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) * this.#rate) / 1000);
    this.#filledAt = now;
    return this.#tokens >= 1;
  }
}

/** Rest for each millisecond of work on what came over budget: a backend that floods gets a quarter of the event loop. */
const REST = 3;
/** Work that is worth a rest: timers are no finer. */
const STRETCH_MS = 2;
const MAX_REST_MS = 100;

/** How a log message begins, as everybody writes it. */
const LOG_MESSAGE = /^\{"(?:jsonrpc":"2\.0",")?method":"notifications\/message"/;

/**
 * How much of what one backend says unasked is looked at, and how fast it is read. The transport owns it and does the
 * resting; the layer above counts, since it knows what is an answer.
 */
export class Pace {
  /** More came than is looked at. */
  exceeded = false;
  /** Messages dropped before they were parsed; whoever reports them sets it back. */
  dropped = 0;
  readonly #bucket: TokenBucket;
  #worked = 0;
  #restUntil = 0;
  #dry = false;

  /** @param rate messages a second */
  constructor(rate: number) {
    this.#bucket = new TokenBucket(rate);
  }

  /** Whether one more message is within budget. */
  take(now: number): boolean {
    const within = this.#bucket.take(now);
    this.#dry = !within;
    if (!within) this.exceeded = true;
    return within;
  }

  /** Whether a text is a log message beyond the budget: parsing it is most of what a flood costs. */
  isSurplus(text: string): boolean {
    if (!this.#dry || !LOG_MESSAGE.test(text) || this.#bucket.has(performance.now())) return false;
    this.exceeded = true;
    this.dropped++;
    return true;
  }

  /** When work on a chunk begins; 0 where no rest will follow, which saves the look at the clock. */
  begin(): number {
    return this.exceeded || this.#dry || this.#restUntil > 0 ? performance.now() : 0;
  }

  /**
   * Milliseconds to wait before more is read, after work on a chunk that began at `began`: 0 unless over budget. All
   * streams of a backend rest together.
   */
  restAfter(began: number): number {
    if (began === 0) return 0;
    const now = performance.now();
    if (this.exceeded) {
      this.exceeded = false;
      this.#worked += now - began;
      if (this.#worked >= STRETCH_MS) {
        this.#restUntil = Math.max(this.#restUntil, now) + REST * this.#worked;
        this.#worked = 0;
      }
    }
    const left = this.#restUntil - now;
    if (left > 0) return Math.min(left, MAX_REST_MS);
    this.#restUntil = 0;
    return 0;
  }
}

export const paceOf = ({ limits }: IoDeps): Pace => new Pace(limits['flood.messages']);
