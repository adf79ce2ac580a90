import type { JsonRpcMessage } from '../world.ts';
import type { Outlet } from './outlet.ts';
import type { AnswerStream, SessionStreams } from './sessionStreams.ts';
import type { Streams } from './streams.ts';

/**
 * One POST being answered: JSON unless something has to be said before the answer, or the answer takes long; then an
 * event stream. MCP basic/transports §Sending Messages to the Server.
 */
export interface Exchange {
  /** Sends what comes before the answer. False if the client cannot get it on this exchange. */
  readonly send: (message: JsonRpcMessage) => boolean;
  /** One response, of as many as are expected; without a text there is none, because the client cancelled. */
  readonly answer: (text: string | undefined) => void;
}

export interface ExchangeOptions {
  readonly streams: Streams;
  /** Those of the session, made when an event stream is needed. */
  readonly sessionStreams: () => SessionStreams;
  /** The client accepts `text/event-stream`. */
  readonly acceptsStream: boolean;
  /** The client accepts `application/json`. */
  readonly acceptsJson: boolean;
  /** Milliseconds after which a stream is opened although nothing was said yet. */
  readonly upgradeAfter: number;
  /** How many responses a batch gets; undefined for a message on its own. */
  readonly batch?: number | undefined;
}

export const JSON_HEADERS = { 'content-type': 'application/json' };

export function createExchange(outlet: Outlet, options: ExchangeOptions): Exchange {
  const { streams, sessionStreams, acceptsStream, acceptsJson, upgradeAfter, batch } = options;
  let stream: AnswerStream | undefined;
  let timer: NodeJS.Timeout | undefined;
  let expected = batch ?? 1;
  /** Responses that no stream took yet. */
  let texts: string[] | undefined;

  /** Undefined when the client has gone: it knows of no event, so it will not come back for this one. */
  const upgrade = (): AnswerStream | undefined => {
    clearTimeout(timer);
    if (stream || outlet.isGone()) return stream;
    stream = sessionStreams().answer(outlet);
    for (const text of texts ?? []) stream.answer(text);
    texts = undefined;
    return stream;
  };
  if (acceptsStream) timer = setTimeout(upgrade, acceptsJson ? upgradeAfter : 0);

  const finish = () => {
    clearTimeout(timer);
    if (stream) return stream.end();
    if (texts === undefined) return acceptsStream ? streams.open(outlet).end() : outlet.whole(204, {}, null);
    if (acceptsJson) return outlet.whole(200, JSON_HEADERS, batch === undefined ? (texts[0] as string) : `[${texts.join(',')}]`);
    upgrade()?.end();
  };

  return {
    send: (message) => acceptsStream && (upgrade()?.send(JSON.stringify(message)) ?? false),
    answer(text) {
      if (text !== undefined) {
        if (stream) stream.answer(text);
        else if (texts) texts.push(text);
        else texts = [text];
      }
      if (--expected === 0) finish();
    },
  };
}
