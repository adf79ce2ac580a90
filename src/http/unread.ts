import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Garbage } from './garbage.ts';

/**
 * What is queued for clients that do not read, on all connections together: beyond `maxBytes` those are closed whose clients
 * took something longest ago, and so is one that takes nothing for `timeout`. Answers that the kernel takes at once, which
 * are nearly all, never come here.
 */
export interface Unread {
  /** Something of an answer was not taken at once; `chunk` is what was written last. */
  note(outgoing: ServerResponse, chunk: unknown): void;
  /** Bytes that are queued. */
  readonly bytes: number;
  close(): void;
}

export interface UnreadOptions {
  readonly maxBytes: number;
  /** Milliseconds; 0 never closes one. */
  readonly timeout: number;
  /** Says that so many connections were closed; at most once a minute. */
  readonly onClosed: (connections: number) => void;
  /** Told of the bytes that were given up. */
  readonly garbage?: Garbage;
}

interface Debt {
  bytes: number;
  /** What the kernel had not taken when it was last looked at, and how often in a row that was the same. */
  left: number;
  looks: number;
  readonly onDrain: () => void;
  readonly onClose: () => void;
}

/** How often an answer is looked at in the time it has. */
const LOOKS = 4;
const REPORT_EVERY = 60_000;

export function createUnread({ maxBytes, timeout, onClosed, garbage }: UnreadOptions): Unread {
  /** The one whose client took something longest ago first. */
  const debts = new Map<ServerResponse, Debt>();
  let bytes = 0;
  let closed = 0;
  let timer: NodeJS.Timeout | undefined;
  let reporting: NodeJS.Timeout | undefined;

  const begin = (outgoing: ServerResponse): Debt => {
    const settle = () => settled(outgoing, debt);
    // What has ended is settled only by its close: a drain may be that of the answer before it.
    const onDrain = () => void (outgoing.writableEnded || settle());
    const debt: Debt = { bytes: 0, left: -1, looks: 0, onDrain, onClose: settle };
    debts.set(outgoing, debt);
    outgoing.on('drain', onDrain).on('close', settle);
    timer ??= setInterval(look, (timeout || REPORT_EVERY) / LOOKS).unref();
    return debt;
  };
  const settled = (outgoing: ServerResponse, debt: Debt) => {
    if (!debts.delete(outgoing)) return;
    bytes -= debt.bytes;
    outgoing.off('drain', debt.onDrain).off('close', debt.onClose);
    if (debts.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const report = () => {
    reporting = undefined;
    if (closed === 0) return;
    onClosed(closed);
    closed = 0;
    reporting = setTimeout(report, REPORT_EVERY).unref();
  };
  const drop = (outgoing: ServerResponse, debt: Debt) => {
    settled(outgoing, debt);
    // An answer whose turn on its connection has not come has no socket of its own, and is not told of its end.
    const { socket } = outgoing.req;
    if (socket.destroyed) return;
    // A reset also frees what waits in the kernel.
    socket.resetAndDestroy();
    garbage?.add(debt.bytes);
    closed++;
    if (!reporting) report();
  };
  /** Whether its client took something since the last time this was asked; true the first time. */
  const moved = (outgoing: ServerResponse, debt: Debt): boolean => {
    const { socket } = outgoing;
    // Without a socket it waits for the answers before it.
    if (!socket) return true;
    const left = leftOf(socket);
    if (left === debt.left) return false;
    const first = debt.left === -1;
    debt.left = left;
    debt.looks = 0;
    if (first) return true;
    debts.delete(outgoing);
    debts.set(outgoing, debt);
    return true;
  };
  const look = () => {
    for (const [outgoing, debt] of [...debts]) {
      if (outgoing.req.socket.destroyed) settled(outgoing, debt);
      if (timeout > 0 && !moved(outgoing, debt) && ++debt.looks >= LOOKS) drop(outgoing, debt);
    }
  };

  return {
    note(outgoing, chunk) {
      const debt = debts.get(outgoing) ?? begin(outgoing);
      // Node counts the characters of a text, not its bytes.
      const owed = Math.max(outgoing.writableLength, debt.bytes + sizeOf(chunk));
      bytes += owed - debt.bytes;
      debt.bytes = owed;
      if (bytes <= maxBytes / 2) return;
      for (const [other, its] of [...debts]) moved(other, its);
      for (const [other, its] of debts) {
        if (bytes <= maxBytes) return;
        // Its client has had no time to read yet.
        if (other !== outgoing) drop(other, its);
      }
    },
    get bytes() {
      return bytes;
    },
    close() {
      clearInterval(timer);
      clearTimeout(reporting);
      report();
      clearTimeout(reporting);
    },
  };
}

/** Node's response, which notes what is not taken at once, whoever writes it. */
export function watchedResponse(unread: Unread): typeof ServerResponse<IncomingMessage> {
  return class extends ServerResponse<IncomingMessage> {
    override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
      const more = super.write(chunk, encoding as BufferEncoding, callback as () => void);
      if (!more) unread.note(this, chunk);
      return more;
    }
    override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
      super.end(chunk, encoding as BufferEncoding, callback as () => void);
      if (this.writableLength > 0) unread.note(this, chunk);
      return this;
    }
  };
}

/** Bytes that the kernel has not taken. What Node itself says of a piece changes only when all of it was taken. */
function leftOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? socket.writableLength;
}

function sizeOf(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}
