import { randomBytes } from 'node:crypto';
import type { ReplayBudget } from './replayBudget.ts';

/** One event as it was, or is to be, sent. */
export interface StoredEvent {
  readonly seq: number;
  readonly text: string;
}

/** The events of one stream, numbered from 1. */
export interface EventLog {
  /** Unique in the whole process, and not to be guessed. */
  readonly id: string;
  /** The newest number given, 0 if none was. */
  readonly last: number;
  readonly isEmpty: boolean;
  /** @param keep whether it may not be dropped until `release`, nor may what comes after it */
  append(text: string, keep?: boolean): number;
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
  /** Bytes of the events that may be dropped. */
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
  readonly log: {
    /** Drops the oldest event, which is the oldest of the whole store whenever that is in this log. */
    dropOldest(): void;
    /** Drops what the log has too many of. */
    trim(): void;
  };
}

/** Bytes an event costs besides its text. */
const OVERHEAD = 256;

export function createEventStore({ maxEvents, maxBytes, maxKept, budget }: EventStoreOptions): EventStore {
  /** Of all streams, oldest first. Within a log, those that may be dropped come before those that may not. */
  const droppable = new Set<Held>();
  const kept = new Set<Held>();
  let bytes = 0;

  const remove = (event: Held) => {
    if (droppable.delete(event)) bytes -= event.bytes;
    else kept.delete(event);
  };
  const giveUp = (event: Held) => {
    kept.delete(event);
    droppable.add(event);
    bytes += event.bytes;
    event.log.trim();
  };
  const shrink = () => {
    for (const oldest of kept) {
      if (kept.size <= maxKept) break;
      giveUp(oldest);
    }
    for (const oldest of droppable) {
      if (bytes <= maxBytes) break;
      oldest.log.dropOldest();
    }
  };

  const open = (onDropped?: () => void): EventLog => {
    const events: Held[] = [];
    let last = 0;
    /** Number of the newest event that was dropped. */
    let dropped = 0;

    const clear = () => {
      for (const event of events) {
        remove(event);
        share.drop(event.bytes);
      }
      events.length = 0;
      dropped = last;
    };
    const share = budget.open(() => {
      clear();
      onDropped?.();
    });
    const log: Held['log'] = {
      dropOldest() {
        const event = events.shift() as Held;
        remove(event);
        share.drop(event.bytes);
        dropped = event.seq;
        onDropped?.();
      },
      trim() {
        while (events.length > maxEvents && droppable.has(events[0] as Held)) log.dropOldest();
      },
    };

    return {
      id: randomBytes(12).toString('base64url'),
      get last() {
        return last;
      },
      get isEmpty() {
        return events.length === 0;
      },
      append(text, keep = false) {
        const before = events.at(-1);
        const event: Held = { seq: ++last, text, bytes: Buffer.byteLength(text) + OVERHEAD, log };
        events.push(event);
        share.keep(event.bytes);
        if (keep || (before && kept.has(before))) kept.add(event);
        else giveUp(event);
        log.trim();
        shrink();
        share.settle();
        return event.seq;
      },
      skip: () => ++last,
      after(seq) {
        if (seq < dropped || seq > last) return undefined;
        const from = events.findIndex((event) => event.seq > seq);
        return from < 0 ? [] : events.slice(from);
      },
      release() {
        for (const event of [...events]) if (kept.has(event)) giveUp(event);
        shrink();
      },
      clear,
      attend: share.attend,
    };
  };

  return {
    open,
    get bytes() {
      return bytes;
    },
    get kept() {
      return kept.size;
    },
  };
}
