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
    if (this.#tokens < 1) {
      // Only an empty one is filled: what is full needs no arithmetic.
      this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) * this.#rate) / 1000);
      this.#filledAt = now;
      if (this.#tokens < 1) return false;
    }
    this.#tokens--;
    return true;
  }
}

/** Rest for each millisecond of work on what came over budget: a backend that floods gets a quarter of the event loop. */
const REST = 3;
const MAX_REST_MS = 100;

/**
 * How much of what one backend says unasked is looked at, and how fast it is read. The transport owns it and does the
 * resting; the layer above counts, since it knows what is an answer.
 */
export class Pace {
  /** More came than is looked at since reading was last slowed down. */
  exceeded = false;
  readonly #bucket: TokenBucket;

  /** @param rate messages a second */
  constructor(rate: number) {
    this.#bucket = new TokenBucket(rate);
  }

  /** Whether one more message is within budget. */
  take(now: number): boolean {
    const within = this.#bucket.take(now);
    if (!within) this.exceeded = true;
    return within;
  }

  /** Milliseconds to wait before more is read, after work on a chunk that began at `began`. 0 unless over budget. */
  restAfter(began: number): number {
    if (!this.exceeded) return 0;
    this.exceeded = false;
    return Math.min(Math.max(REST * (performance.now() - began), 1), MAX_REST_MS);
  }
}

export const paceOf = ({ limits }: IoDeps): Pace => new Pace(limits['flood.messages']);
