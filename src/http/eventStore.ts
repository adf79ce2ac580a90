import { randomBytes } from 'node:crypto';
import type { Payload } from './outlet.ts';
import type { ReplayBudget, ReplayShare } from './replayBudget.ts';

/** One event as it was, or is to be, sent. */
export interface StoredEvent {
  readonly seq: number;
  readonly text: Payload;
}

/** The events of one stream, numbered from 1. */
export interface EventLog {
  /** Unique in the whole process, and not to be guessed. */
  readonly id: string;
  /** The newest number given, 0 if none was. */
  readonly last: number;
  readonly isEmpty: boolean;
  /** @param keep whether it may not be dropped until `release`, nor may what comes after it */
  append(text: Payload, keep?: boolean): number;
  /** Gives a number to an event that is not worth keeping. */
  skip(): number;
  /** What came after a number; undefined if some of it was dropped, or the number was never given. */
  after(seq: number): readonly StoredEvent[] | undefined;
  /** What was kept may be dropped like everything else. */
  release(): void;
  /** Forgets all events. */
  clear(): void;
  /** Whether a client is connected to the stream: for others there is room first when all sessions keep too much. */
  attend(connected: boolean): void;
}

/** What a session's event streams said, for a client that comes back. MCP basic/transports §Resumability and Redelivery. */
export interface EventStore {
  /** @param onDropped called after the oldest event of the log was dropped, or all of them */
  open(onDropped?: () => void): EventLog;
  /** Bytes of the events that may be dropped, with what keeping them costs. */
  readonly bytes: number;
  /** Number of the events that may not. */
  readonly kept: number;
}

export interface EventStoreOptions {
  /** Events of one stream. */
  readonly maxEvents: number;
  /** Bytes of all streams, besides what is kept. */
  readonly maxBytes: number;
  /** Events that are kept beyond; the oldest gives way. */
  readonly maxKept: number;
  /** Bounds the bytes of the stores of all sessions, kept ones included. */
  readonly budget: ReplayBudget;
}

interface Held extends StoredEvent {
  /** What it counts against the bounds. */
  readonly bytes: number;
  readonly log: Log;
}

/** Bytes an event costs besides its text, and a stream that keeps events besides those. Measured: test/http/overhead.test.ts. */
export const EVENT_BYTES = 256;
export const STREAM_BYTES = 1_024;

export function createEventStore(options: EventStoreOptions): EventStore {
  const store = new Store(options);
  return {
    open: (onDropped) => new Log(store, options.budget, onDropped),
    get bytes() {
      return store.bytes;
    },
    get kept() {
      return store.kept.size;
    },
  };
}

/** What the streams of a session share. */
class Store {
  /** Of all streams, oldest first. Within a log, those that may be dropped come before those that may not. */
  readonly droppable = new Set<Held>();
  readonly kept = new Set<Held>();
  readonly options: EventStoreOptions;
  bytes = 0;

  constructor(options: EventStoreOptions) {
    this.options = options;
  }

  remove(event: Held): void {
    if (!this.droppable.delete(event)) return void this.kept.delete(event);
    this.bytes -= event.bytes;
    if (--event.log.droppable === 0) this.bytes -= STREAM_BYTES;
  }

  giveUp(event: Held): void {
    this.kept.delete(event);
    this.droppable.add(event);
    this.bytes += event.bytes;
    if (event.log.droppable++ === 0) this.bytes += STREAM_BYTES;
    event.log.trim();
  }

  shrink(): void {
    const { maxKept, maxBytes } = this.options;
    for (const oldest of this.kept) {
      if (this.kept.size <= maxKept) break;
      this.giveUp(oldest);
    }
    for (const oldest of this.droppable) {
      if (this.bytes <= maxBytes) break;
      oldest.log.dropOldest();
    }
  }
}

/** A class, because there are thousands: closures and getters of each cost two kilobytes. */
class Log implements EventLog {
  readonly id = randomBytes(12).toString('base64url');
  last = 0;
  /** How many of its events may be dropped. */
  droppable = 0;
  readonly #store: Store;
  readonly #share: ReplayShare;
  readonly #onDropped: (() => void) | undefined;
  readonly #events: Held[] = [];
  /** Number of the newest event that was dropped. */
  #dropped = 0;

  constructor(store: Store, budget: ReplayBudget, onDropped: (() => void) | undefined) {
    this.#store = store;
    this.#onDropped = onDropped;
    this.#share = budget.open(() => {
      this.clear();
      onDropped?.();
    });
  }

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  append(text: Payload, keep = false): number {
    const store = this.#store;
    const before = this.#events.at(-1);
    const event: Held = { seq: ++this.last, text, bytes: Buffer.byteLength(text) + EVENT_BYTES, log: this };
    this.#events.push(event);
    this.#share.keep(event.bytes);
    if (keep || (before && store.kept.has(before))) store.kept.add(event);
    else store.giveUp(event);
    this.trim();
    store.shrink();
    this.#share.settle();
    return event.seq;
  }

  skip(): number {
    return ++this.last;
  }

  after(seq: number): readonly StoredEvent[] | undefined {
    if (seq < this.#dropped || seq > this.last) return undefined;
    const from = this.#events.findIndex((event) => event.seq > seq);
    return from < 0 ? [] : this.#events.slice(from);
  }

  release(): void {
    for (const event of [...this.#events]) if (this.#store.kept.has(event)) this.#store.giveUp(event);
    this.#store.shrink();
  }

  clear(): void {
    for (const event of this.#events) {
      this.#store.remove(event);
      this.#share.drop(event.bytes);
    }
    this.#events.length = 0;
    this.#dropped = this.last;
  }

  attend(connected: boolean): void {
    this.#share.attend(connected);
  }

  /** Drops the oldest event, which is the oldest of the whole store whenever that is in this log. */
  dropOldest(): void {
    const event = this.#events.shift() as Held;
    this.#store.remove(event);
    this.#share.drop(event.bytes);
    this.#dropped = event.seq;
    this.#onDropped?.();
  }

  /** Drops what it has too many of. */
  trim(): void {
    const { droppable, options } = this.#store;
    while (this.#events.length > options.maxEvents && droppable.has(this.#events[0] as Held)) this.dropOldest();
  }
}
