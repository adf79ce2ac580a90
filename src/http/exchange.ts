import type { JsonRpcMessage } from '../world.ts';
import type { Outlet } from './outlet.ts';
import type { EventStream } from './sse.ts';
import type { Streams } from './streams.ts';

/**
 * One POSTed request being answered: JSON unless something has to be said before the answer, or the answer takes long;
 * then an event stream. MCP basic/transports §Sending Messages to the Server.
 */
export interface Exchange {
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
}

export const JSON_HEADERS = { 'content-type': 'application/json' };

export function createExchange(outlet: Outlet, { streams, acceptsStream, acceptsJson, upgradeAfter }: ExchangeOptions): Exchange {
  let stream: EventStream | undefined;
  let timer: NodeJS.Timeout | undefined;
  const upgrade = (): EventStream => {
    clearTimeout(timer);
    stream ??= streams.open(outlet);
    return stream;
  };
  if (acceptsStream) timer = setTimeout(upgrade, acceptsJson ? upgradeAfter : 0);

  return {
    notify(message) {
      if (acceptsStream) upgrade().send(JSON.stringify(message));
    },
    finish(text) {
      clearTimeout(timer);
      if (!stream && text !== undefined && acceptsJson) return outlet.whole(200, JSON_HEADERS, text);
      if (!acceptsStream) return outlet.whole(204, {}, null);
      const open = upgrade();
      if (text !== undefined) open.send(text);
      open.end();
    },
  };
}
