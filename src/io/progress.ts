import { TokenBucket } from './pace.ts';

/**
 * Progress of one request at a rate that its client can bear: of more the newest is kept, and delivered when its turn has
 * come or the request ends. Made with the first progress of a request; the timer only when something is held back.
 */
export class ProgressGate<T> {
  readonly #deliver: (progress: T) => void;
  readonly #rate: number;
  readonly #bucket: TokenBucket;
  #held: T | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param rate deliveries a second; twice as many may come at once */
  constructor(deliver: (progress: T) => void, rate: number) {
    this.#deliver = deliver;
    this.#rate = rate;
    this.#bucket = new TokenBucket(rate, 2 * rate);
  }

  push(progress: T, now: number): void {
    if (this.#held === undefined && this.#bucket.take(now)) return this.#deliver(progress);
    this.#held = progress;
    this.#timer ??= setTimeout(this.#onTurn, 1000 / this.#rate).unref();
  }

  /** Delivers what is held back: before the result of the request. Nothing is to be pushed afterwards. */
  flush(): void {
    const held = this.#held;
    this.drop();
    if (held !== undefined) this.#deliver(held);
  }

  /** Forgets what is held back: nobody wants it any more. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#held = undefined;
  }

  readonly #onTurn = () => {
    // The turn came late if at all, so the allowance is there.
    this.#bucket.take(performance.now());
    this.flush();
  };
}
