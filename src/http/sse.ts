/** One event stream to a client, with a bounded queue. HTML Standard §9.2, MCP basic/transports §Streamable HTTP. */
export interface EventStream {
  readonly response: Response;
  /** Sends one JSON-RPC message as text. */
  send(text: string): void;
  /** Sends a comment, so that proxies keep the connection. */
  keepAlive(): void;
  /** Ends the stream after what is queued. */
  end(): void;
}

export interface EventStreamOptions {
  /** Bytes queued for a client that does not read; beyond, the connection is dropped and the client comes back. */
  readonly queueBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once, when the stream has ended for whatever reason. */
  readonly onEnd: () => void;
  /** Drops the connection under the stream. */
  readonly drop: () => void;
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

const encoder = new TextEncoder();
const COMMENT = encoder.encode(': keep-alive\n\n');

export function openEventStream({ queueBytes, headers, onEnd, drop }: EventStreamOptions): EventStream {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let ended = false;
  const finish = () => {
    if (ended) return;
    ended = true;
    onEnd();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(own) {
        controller = own;
      },
      cancel: finish,
    },
    { highWaterMark: queueBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  const write = (chunk: Uint8Array) => {
    if (ended) return;
    if ((controller.desiredSize ?? 0) < chunk.byteLength) {
      finish();
      controller.close();
      return drop();
    }
    controller.enqueue(chunk);
  };
  return {
    response: new Response(body, { headers: { ...HEADERS, ...headers } }),
    send: (text) => write(encoder.encode(`event: message\ndata: ${text}\n\n`)),
    keepAlive: () => write(COMMENT),
    end() {
      if (ended) return;
      finish();
      controller.close();
    },
  };
}
