import type { RequestId } from '../world.ts';

const BUCKETS = 64;

/**
 * Requests in flight by our own ids, which count up from 1.
 *
 * Not a Map, for the reason that `InFlight` gives: what a Map held until lately survives the young generation, and a
 * request holds on to everything that its client's request is made of.
 */
export class RequestTable<T extends { readonly id: number }> {
  readonly #buckets: T[][] = Array.from({ length: BUCKETS }, () => []);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: T): void {
    this.#bucketOf(entry.id).push(entry);
    this.#size++;
  }

  /** @param id as it came over the wire: `"1"` is not ours */
  get(id: RequestId): T | undefined {
    return typeof id === 'number' ? this.#bucketOf(id).find((entry) => entry.id === id) : undefined;
  }

  /** Removes a request and returns it; undefined if it is not there any more. */
  take(id: RequestId): T | undefined {
    if (typeof id !== 'number') return undefined;
    const bucket = this.#bucketOf(id);
    const at = bucket.findIndex((entry) => entry.id === id);
    if (at < 0) return undefined;
    const entry = bucket[at] as T;
    const last = bucket.pop() as T;
    if (last !== entry) bucket[at] = last;
    this.#size--;
    return entry;
  }

  /** All of them, the oldest first. */
  all(): T[] {
    return this.#buckets.flat().sort((a, b) => a.id - b.id);
  }

  #bucketOf(id: number): T[] {
    return this.#buckets[id & (BUCKETS - 1)] as T[];
  }
}
