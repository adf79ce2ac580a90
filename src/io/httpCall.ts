import { OnemcpError } from '../errors.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';
import { type AnswerHandlers, readAnswer } from './httpAnswer.ts';
import type { Exchange, HttpClient, HttpRequest } from './httpClient.ts';
import { type HttpFailure, type HttpHeaders, invalidAnswer } from './httpErrors.ts';
import type { Pace } from './pace.ts';

/** What every exchange of one Streamable HTTP connection shares. */
export interface HttpContext {
  readonly client: HttpClient;
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly pace: Pace;
  /** Headers of a POST, with the session and the version in force. */
  postHeaders(): string[];
  /** Headers of a GET, resuming after an event. */
  streamHeaders(lastEventId: string | undefined): string[];
}

/** What became of a request: its messages in order, the answer among them as the last, or a failure. */
export interface CallHandlers {
  /** A 2xx answer to the POST begins. */
  onhead?(headers: HttpHeaders): void;
  /** Any other message on the streams of this request. */
  onmessage(message: JsonRpcMessage): void;
  onanswer(message: JsonRpcMessage): void;
  onfail(failure: HttpFailure): void;
}

/** One request in flight. */
export interface HttpCall {
  readonly id: RequestId;
  start(): void;
  /**
   * Nothing is called any more. Idempotent.
   * @returns whether the request may have been written, in part or whole
   */
  abort(): boolean;
}

const DEFAULT_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Resumptions in a row that brought no event. */
const MAX_BARREN_RESUMES = 8;
/** How long a server may keep the stream of a request open after the answer. */
const LINGER_MS = 1_000;

/**
 * POSTs a request and reads its answer. An event stream that ends early is resumed where events had ids.
 * MCP basic/transports §Sending Messages to the Server, §Resumability and Redelivery.
 */
export function createCall(context: HttpContext, message: JsonRpcMessage, handlers: CallHandlers): HttpCall {
  const { client, maxBytes, maxDepth, pace } = context;
  const { target } = client;
  const id = message.id as RequestId;
  let exchange: Exchange | undefined;
  let timer: NodeJS.Timeout | undefined;
  let settled = false;
  let aborted = false;
  let lastEventId: string | undefined;
  let retryMs = DEFAULT_RETRY_MS;
  let barren = 0;

  const fail = (failure: HttpFailure) => {
    if (settled || aborted) return;
    settled = true;
    handlers.onfail(failure);
  };

  const brokenOff = (cause?: HttpFailure): HttpFailure => ({
    error: new OnemcpError(
      'connection_failed',
      `"${target.name}" ended its event stream before it had answered`,
      { server: target.name, reason: 'stream-ended', retryable: true },
      cause?.error,
    ),
    lost: cause?.lost ?? false,
  });

  const over = (): boolean => {
    clearTimeout(timer);
    return settled || aborted;
  };

  const resumeOrFail = (cause?: HttpFailure) => {
    if (lastEventId === undefined) fail(cause ?? brokenOff());
    // The request itself was sent, whatever became of the attempt to go on.
    else if (++barren > MAX_BARREN_RESUMES) fail(cause ? { ...cause, unsent: false } : brokenOff());
    else timer = setTimeout(() => exchangeWith('GET'), retryMs);
  };

  const answer: AnswerHandlers = {
    onhead(headers) {
      if (!over()) handlers.onhead?.(headers);
    },
    onmessage(received, streamed) {
      if (aborted) return;
      const isAnswer = received.method === undefined && (received.id === id || (received.error !== undefined && received.id == null));
      if (!isAnswer || settled) return handlers.onmessage(received);
      settled = true;
      if (streamed) timer = setTimeout(() => exchange?.abort(), LINGER_MS).unref();
      handlers.onanswer(received.id === id ? received : { ...received, id });
    },
    onid(eventId) {
      lastEventId = eventId;
      barren = 0;
    },
    onretry(ms) {
      retryMs = Math.min(ms, MAX_RETRY_MS);
    },
    onend(form) {
      if (over()) return;
      if (form === 'stream') resumeOrFail();
      else if (form === 'json') fail(invalidAnswer(target, 'JSON that does not answer the request'));
      else fail(invalidAnswer(target, 'no content where an answer was due'));
    },
    onfail(failure) {
      if (over()) return;
      if (failure.lost) resumeOrFail(failure);
      else fail(lastEventId !== undefined && failure.status !== undefined ? brokenOff(failure) : failure);
    },
  };

  const exchangeWith = (method: 'POST' | 'GET') => {
    const request: HttpRequest =
      method === 'POST'
        ? { method, headers: context.postHeaders(), body: JSON.stringify(message) }
        : { method, headers: context.streamHeaders(lastEventId) };
    exchange = client.send(request, readAnswer(target, { maxBytes, maxDepth, pace, badEvent: 'fail' }, answer));
    if (aborted) exchange.abort();
  };

  return {
    id,
    start: () => exchangeWith('POST'),
    abort() {
      aborted = true;
      clearTimeout(timer);
      const written = exchange?.abort() ?? false;
      return written || lastEventId !== undefined;
    },
  };
}
