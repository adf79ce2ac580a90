import type { RequestId } from '../world.ts';

/** Membership of one request. */
export interface Flight<T> {
  readonly id: RequestId;
  readonly value: T;
  /** Place in the table; −1 once removed. */
  at: number;
}

/**
 * The requests in flight, for tables that are looked up seldom and changed with each request.
 *
 * Not a Map: with one here, what was in flight survived the young generation until a full collection, and a call took
 * 40 to 100 % more CPU time (measured on Node 20; V8 replaces the table of a small Map every few insertions and
 * deletions, and keeps a link from each old table to the next).
 */
export class InFlight<T> {
  readonly #flights: Flight<T>[] = [];

  add(id: RequestId, value: T): Flight<T> {
    const flight = { id, value, at: this.#flights.length };
    this.#flights.push(flight);
    return flight;
  }

  remove(flight: Flight<T>): void {
    if (flight.at === -1) return;
    const last = this.#flights.pop() as Flight<T>;
    if (last !== flight) {
      this.#flights[flight.at] = last;
      last.at = flight.at;
    }
    flight.at = -1;
  }

  /** Linear: for the rare request that is given up. */
  find(id: RequestId): Flight<T> | undefined {
    return this.#flights.find((flight) => flight.id === id);
  }

  /** Empties the table and returns what was in it. */
  takeAll(): T[] {
    const flights = this.#flights.splice(0);
    for (const flight of flights) flight.at = -1;
    return flights.map(({ value }) => value);
  }
}
