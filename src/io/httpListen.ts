import type { JsonRpcMessage } from '../world.ts';
import { readAnswer } from './httpAnswer.ts';
import type { HttpContext } from './httpCall.ts';
import type { Exchange } from './httpClient.ts';
import type { HttpFailure } from './httpErrors.ts';

export interface ListenHandlers {
  onmessage(message: JsonRpcMessage): void;
  /** The stream stands again, but what was sent meanwhile is lost. */
  ongap(): void;
  /** The session was unknown when the stream was opened again. */
  onsessionlost(): void;
  /** The connection failed; another attempt follows. */
  onfail(failure: HttpFailure): void;
}

export interface Listening {
  stop(): void;
}

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;
/** A server that never let the stream open has none, whatever it answers. */
const MAX_FIRST_ATTEMPTS = 5;
/** A stream that lasted this long was good: the delay starts again. */
const GOOD_MS = 10_000;

/**
 * Keeps the GET stream of a session open, on which a server sends what belongs to no request. A server that answers it
 * with an HTTP error has none. MCP basic/transports §Listening for Messages from the Server.
 */
export function listen(context: HttpContext, handlers: ListenHandlers): Listening {
  const { client, maxBytes, maxDepth, pace } = context;
  let exchange: Exchange | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let openedBefore = false;
  let openedAt: number | undefined;
  let lastEventId: string | undefined;
  let retryMs = FIRST_DELAY_MS;
  let failures = 0;

  const again = () => {
    if (stopped) return;
    if (openedAt !== undefined && performance.now() - openedAt >= GOOD_MS) failures = 0;
    openedAt = undefined;
    timer = setTimeout(open, Math.min(retryMs * 2 ** failures, MAX_DELAY_MS)).unref();
    failures = Math.min(failures + 1, 16);
  };

  const onfail = (failure: HttpFailure) => {
    if (stopped) return;
    const { status, lost } = failure;
    if (status === 404 && openedBefore) return handlers.onsessionlost();
    const hopeless = status === undefined ? !lost && openedAt === undefined : status < 500 && status !== 429;
    if (hopeless || status === 501 || (!openedBefore && failures >= MAX_FIRST_ATTEMPTS)) return;
    again();
    if (lost) handlers.onfail(failure);
  };

  const open = () => {
    exchange = client.send(
      { method: 'GET', headers: context.streamHeaders(lastEventId) },
      readAnswer(
        client.target,
        { maxBytes, maxDepth, pace, badEvent: 'skip' },
        {
          onhead(headers) {
            if (!String(headers['content-type'] ?? '').startsWith('text/event-stream')) return;
            openedAt = performance.now();
            if (openedBefore && lastEventId === undefined) handlers.ongap();
            openedBefore = true;
          },
          onmessage(message) {
            if (!stopped) handlers.onmessage(message);
          },
          onid(id) {
            lastEventId = id;
          },
          onretry(ms) {
            retryMs = Math.min(ms, MAX_DELAY_MS);
          },
          onend(form) {
            if (form === 'stream') again();
          },
          onfail,
        },
      ),
    );
  };

  open();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      exchange?.abort();
    },
  };
}
