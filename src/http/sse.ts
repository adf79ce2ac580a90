import { type Outlet, type Payload, payloadOf } from './outlet.ts';

/** One connection of an event stream to a client, with a bounded queue. HTML Standard §9.2, MCP basic/transports §Streamable HTTP. */
export interface EventStream {
  /** Sends one JSON-RPC message as text. */
  send(text: Payload, id?: string): void;
  /** Gives the client an id to come back with, and the milliseconds after which it should. */
  prime(id: string, retry: number): void;
  /** Sends an event that is no message. */
  event(name: string, data: string): void;
  /** Sends a comment, so that proxies keep the connection. */
  keepAlive(): void;
  /** Bytes that the client has not taken yet. */
  readonly queued: number;
  /** Ends the stream after what is queued. */
  end(): void;
}

export interface EventStreamHandlers {
  /** Called once, when nothing more can be sent, for whatever reason. */
  readonly onEnd?: (() => void) | undefined;
  /** Called once, when the connection is over; whether the client was given everything. */
  readonly onClosed?: ((complete: boolean) => void) | undefined;
  /** The client has taken what was queued. */
  readonly onDrain?: (() => void) | undefined;
}

export interface EventStreamOptions extends EventStreamHandlers {
  /**
   * Bytes queued for a client that does not read; one that owes more when something is to be sent is dropped, and comes
   * back. A single event may be larger.
   */
  readonly queueBytes: number;
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

export function openEventStream(outlet: Outlet, { queueBytes, onEnd, onClosed, onDrain }: EventStreamOptions): EventStream {
  const sink = outlet.stream(HEADERS);
  let ended = false;
  const finish = () => {
    if (ended) return false;
    ended = true;
    onEnd?.();
    return true;
  };
  sink.onClose = (complete) => {
    finish();
    onClosed?.(complete);
  };
  sink.onDrain = onDrain;
  /** False if it takes nothing more, because its client does not read. */
  const takes = (): boolean => {
    if (ended) return false;
    if (sink.queued <= queueBytes) return true;
    finish();
    sink.drop();
    return false;
  };
  const write = (text: string) => {
    if (takes()) sink.write(text);
  };
  return {
    send(text, id) {
      const fields = id === undefined ? 'event: message\ndata: ' : `id: ${id}\nevent: message\ndata: `;
      const data = typeof text === 'string' ? payloadOf(text) : text;
      if (typeof data === 'string') return write(`${fields}${data}\n\n`);
      if (!takes()) return;
      sink.write(fields);
      sink.write(data);
      sink.write('\n\n');
    },
    prime: (id, retry) => write(`id: ${id}\nretry: ${retry}\ndata: \n\n`),
    event: (name, data) => write(`event: ${name}\ndata: ${data}\n\n`),
    keepAlive() {
      // A client that still has something to read needs no sign of life.
      if (sink.queued === 0) write(': keep-alive\n\n');
    },
    get queued() {
      return sink.queued;
    },
    end() {
      if (finish()) sink.end();
    },
  };
}
