import type { Outlet } from './outlet.ts';

/** One event stream to a client, with a bounded queue. HTML Standard §9.2, MCP basic/transports §Streamable HTTP. */
export interface EventStream {
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
  /** Called once, when the stream has ended for whatever reason. */
  readonly onEnd: () => void;
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

export function openEventStream(outlet: Outlet, { queueBytes, onEnd }: EventStreamOptions): EventStream {
  const sink = outlet.stream(HEADERS);
  let ended = false;
  const finish = () => {
    if (ended) return false;
    ended = true;
    onEnd();
    return true;
  };
  sink.onClose = finish;
  const write = (text: string) => {
    if (ended) return;
    sink.write(text);
    if (sink.queued > queueBytes && finish()) sink.drop();
  };
  return {
    send: (text) => write(`event: message\ndata: ${text}\n\n`),
    keepAlive: () => write(': keep-alive\n\n'),
    end() {
      if (finish()) sink.end();
    },
  };
}
