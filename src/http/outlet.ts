import type { ServerResponse } from 'node:http';

/**
 * Text on its way to a client. A large one is its UTF-8 bytes: they are held once, whoever keeps them, and Node writes them
 * as they are, while it would copy a text several times and set three bytes aside for each of its characters.
 */
export type Payload = string | Uint8Array;

/** Characters from which a text is large. */
const LARGE = 64 * 1024;

export const payloadOf = (text: string): Payload => (text.length > LARGE ? Buffer.from(text) : text);

/**
 * Where one answer goes: either whole, or as a stream. Node's response objects are written to directly, because a
 * `Response` in between costs a tenth of a call; `fetch`-style callers get a `Response`.
 */
export interface Outlet {
  whole(status: number, headers: Readonly<Record<string, string>>, body: string | null): void;
  stream(headers: Readonly<Record<string, string>>): Sink;
  /** Nobody waits for the answer any more. No getter: one in an object that every call makes costs a third of the call. */
  isGone(): boolean;
}

/** The open end of a streamed answer. */
export interface Sink {
  write(payload: Payload): void;
  /** Bytes that the other side has not taken yet. */
  readonly queued: number;
  end(): void;
  /** Drops the connection. */
  drop(): void;
  /** Called once, when the other side has gone (false) or has been given everything up to the end of the stream (true). */
  onClose: ((complete: boolean) => void) | undefined;
  /** Called when the other side has taken what was queued. */
  onDrain: (() => void) | undefined;
}

/** Writes to a response of Node's HTTP server. */
export function nodeOutlet(outgoing: ServerResponse): Outlet {
  return {
    whole(status, headers, body) {
      if (body === null) return void outgoing.writeHead(status, headers).end();
      const payload = payloadOf(body);
      outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(payload) }).end(payload);
    },
    stream(headers) {
      outgoing.writeHead(200, headers).flushHeaders();
      const { socket } = outgoing;
      let complete = false;
      const sink: Sink = {
        write: (payload) => void outgoing.write(payload),
        get queued() {
          return outgoing.writableLength;
        },
        end: () => void outgoing.end(),
        drop: () => void outgoing.destroy(),
        onClose: undefined,
        onDrain: undefined,
      };
      const close = () => sink.onClose?.(complete);
      // One that has gone already says so no more.
      if (outgoing.destroyed) queueMicrotask(close);
      else {
        // Node finishes an answer even if its socket broke.
        outgoing.once('finish', () => {
          complete = socket?.destroyed === false;
        });
        outgoing.once('close', close).on('drain', () => sink.onDrain?.());
      }
      return sink;
    },
    isGone: () => outgoing.destroyed,
  };
}

const encoder = new TextEncoder();

/** Resolves `answer` with a `Response`. */
export function webOutlet(answer: (response: Response) => void): Outlet {
  return {
    whole: (status, headers, body) => answer(new Response(body, { status, headers })),
    stream(headers) {
      let controller: ReadableStreamDefaultController<Uint8Array>;
      let open = true;
      let queued = 0;
      const close = (complete: boolean) => {
        if (!open) return;
        open = false;
        sink.onClose?.(complete);
      };
      const finish = () => {
        if (open) controller.close();
        close(true);
      };
      const body = new ReadableStream<Uint8Array>({
        start: (own) => {
          controller = own;
        },
        pull: () => {
          queued = 0;
          sink.onDrain?.();
        },
        cancel: () => close(false),
      });
      const sink: Sink = {
        write(payload) {
          if (!open) return;
          const chunk = typeof payload === 'string' ? encoder.encode(payload) : payload;
          queued += chunk.length;
          controller.enqueue(chunk);
        },
        get queued() {
          return queued;
        },
        end: finish,
        drop: finish,
        onClose: undefined,
        onDrain: undefined,
      };
      answer(new Response(body, { headers }));
      return sink;
    },
    isGone: () => false,
  };
}
