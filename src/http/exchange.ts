import type { JsonRpcMessage } from '../world.ts';
import type { EventStream } from './sse.ts';
import type { Streams } from './streams.ts';

/**
 * One POSTed request being answered: JSON unless something has to be said before the answer, or the answer takes long;
 * then an event stream. MCP basic/transports §Sending Messages to the Server.
 */
export interface Exchange {
  readonly response: Promise<Response> | Response;
  readonly notify: (message: JsonRpcMessage) => void;
  /** Ends it; without a text there is no answer, because the client cancelled. */
  readonly finish: (text: string | undefined) => void;
}

export interface ExchangeOptions {
  readonly streams: Streams;
  /** The client accepts `text/event-stream`. */
  readonly acceptsStream: boolean;
  /** The client accepts `application/json`. */
  readonly acceptsJson: boolean;
  /** Milliseconds after which a stream is opened although nothing was said yet. */
  readonly upgradeAfter: number;
  readonly drop: () => void;
}

export const JSON_HEADERS = { 'content-type': 'application/json' };

export function createExchange({ streams, acceptsStream, acceptsJson, upgradeAfter, drop }: ExchangeOptions): Exchange {
  let stream: EventStream | undefined;
  let timer: NodeJS.Timeout | undefined;
  let resolve: (response: Response) => void;
  const response = new Promise<Response>((given) => {
    resolve = given;
  });
  const upgrade = (): EventStream => {
    if (!stream) {
      clearTimeout(timer);
      stream = streams.open({ drop });
      resolve(stream.response);
    }
    return stream;
  };
  if (acceptsStream) timer = setTimeout(upgrade, acceptsJson ? upgradeAfter : 0);

  return {
    response,
    notify(message) {
      if (acceptsStream) upgrade().send(JSON.stringify(message));
    },
    finish(text) {
      clearTimeout(timer);
      if (stream || !acceptsJson || (text === undefined && acceptsStream)) {
        const open = upgrade();
        if (text !== undefined) open.send(text);
        return open.end();
      }
      resolve(text === undefined ? new Response(null, { status: 204 }) : new Response(text, { headers: JSON_HEADERS }));
    },
  };
}
