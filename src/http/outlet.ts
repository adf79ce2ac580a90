import type { ServerResponse } from 'node:http';

/**
 * Where one answer goes: either whole, or as a stream. Node's response objects are written to directly, because a
 * `Response` in between costs a tenth of a call; `fetch`-style callers get a `Response`.
 */
export interface Outlet {
  whole(status: number, headers: Readonly<Record<string, string>>, body: string | null): void;
  stream(headers: Readonly<Record<string, string>>): Sink;
}

/** The open end of a streamed answer. */
export interface Sink {
  write(text: string): void;
  /** Bytes that the other side has not taken yet. */
  readonly queued: number;
  end(): void;
  /** Drops the connection. */
  drop(): void;
  /** Called once, when the other side has gone or the stream has ended. */
  onClose: (() => void) | undefined;
}

/** Writes to a response of Node's HTTP server. */
export function nodeOutlet(outgoing: ServerResponse): Outlet {
  return {
    whole(status, headers, body) {
      if (body === null) return void outgoing.writeHead(status, headers).end();
      outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
    },
    stream(headers) {
      outgoing.writeHead(200, headers).flushHeaders();
      const sink: Sink = {
        write: (text) => void outgoing.write(text),
        get queued() {
          return outgoing.writableLength;
        },
        end: () => void outgoing.end(),
        drop: () => void outgoing.destroy(),
        onClose: undefined,
      };
      outgoing.once('close', () => sink.onClose?.());
      return sink;
    },
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
      const close = () => {
        if (!open) return;
        open = false;
        sink.onClose?.();
      };
      const finish = () => {
        if (open) controller.close();
        close();
      };
      const body = new ReadableStream<Uint8Array>({
        start: (own) => {
          controller = own;
        },
        pull: () => {
          queued = 0;
        },
        cancel: close,
      });
      const sink: Sink = {
        write(text) {
          if (!open) return;
          const chunk = encoder.encode(text);
          queued += chunk.length;
          controller.enqueue(chunk);
        },
        get queued() {
          return queued;
        },
        end: finish,
        drop: finish,
        onClose: undefined,
      };
      answer(new Response(body, { headers }));
      return sink;
    },
  };
}
