import type { JsonRpcMessage, RequestId } from '../world.ts';
import { createAlarm } from './alarm.ts';

export interface OutboxOptions {
  /** Characters that may wait. */
  readonly maxChars: number;
  /** Longest time in which nothing of what waits is taken. */
  readonly drainMs: number;
  readonly write: (text: string) => void;
  /** Characters written that the operating system has not taken. */
  readonly queued: () => number;
  /** The reader has stopped reading. Once. */
  readonly onDeaf: () => void;
}

/** Lines on their way to a program that may be slow to read them. */
export interface Outbox {
  /** False: there is no room. */
  add(line: string): boolean;
  /** Hands over everything at once, whether it is read or not. */
  flush(): void;
  /** Everything handed over was taken. */
  written(): void;
  /** Empties it; returns the ids of the requests that were never handed over. */
  take(): RequestId[];
}

/** Part of `drainMs` that a reader has whose queue is full. */
const FULL_PART = 0.1;

/**
 * Lines of one turn of the event loop are written together, since a write costs more than a line. While a write waits for
 * the reader, further lines stay here: so it is known what has certainly not been sent.
 */
export function createOutbox({ maxChars, drainMs, write, queued, onDeaf }: OutboxOptions): Outbox {
  let text = '';
  let scheduled = false;
  /** When the write began that the reader has not taken yet. */
  let blockedSince: number | undefined;

  const deaf = createAlarm(onDeaf);

  const block = () => {
    blockedSince = performance.now();
    deaf.set(drainMs);
  };

  const flush = () => {
    scheduled = false;
    if (text === '') return;
    const batch = text;
    text = '';
    write(batch);
    if (queued() > 0) block();
  };
  const onTurn = () => {
    if (blockedSince === undefined) flush();
    else scheduled = false;
  };

  return {
    add(line) {
      if (queued() + text.length + line.length > maxChars) {
        if (blockedSince !== undefined) deaf.set(blockedSince + FULL_PART * drainMs - performance.now());
        return false;
      }
      if (!scheduled && blockedSince === undefined) {
        scheduled = true;
        setImmediate(onTurn);
      }
      text += line;
      return true;
    },
    flush,
    written() {
      if (blockedSince === undefined) return;
      blockedSince = undefined;
      deaf.off();
      flush();
    },
    take() {
      const unsent = text;
      text = '';
      deaf.off();
      return unsent === '' ? [] : requestIds(unsent);
    },
  };
}

/** Lines are looked at only when they were in vain. */
function requestIds(lines: string): RequestId[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonRpcMessage)
    .flatMap(({ method, id }) => (method === undefined || id === undefined ? [] : [id]));
}
