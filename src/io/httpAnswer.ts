import type { JsonRpcMessage } from '../world.ts';
import { ByteBuffer } from './byteBuffer.ts';
import { createEventStream, type EventStream } from './eventStream.ts';
import type { HttpSink } from './httpClient.ts';
import {
  type HttpFailure,
  type HttpHeaders,
  type HttpTarget,
  invalidAnswer,
  isHtml,
  statusFailure,
  tooLarge,
  webPage,
} from './httpErrors.ts';
import type { Pace } from './pace.ts';
import { MalformedMessage, parseMessages } from './rpcMessages.ts';

/** What an HTTP answer that carries JSON-RPC says. After `onend` or `onfail` nothing more is called. */
export interface AnswerHandlers {
  /** A 2xx answer begins. */
  onhead?(headers: HttpHeaders): void;
  /** `streamed`: the answer is an event stream, which may go on. */
  onmessage(message: JsonRpcMessage, streamed: boolean): void;
  /** Id of an event: where a broken stream can be resumed. */
  onid?(id: string): void;
  /** The reconnection time the server asks for, milliseconds. */
  onretry?(ms: number): void;
  /** An event of another type than `message`. */
  onevent?(event: string, data: string): void;
  /** The answer is complete, and all its messages were delivered. */
  onend(form: 'empty' | 'json' | 'stream'): void;
  onfail(failure: HttpFailure): void;
}

export interface AnswerLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly pace: Pace;
  /** What a broken event does: on a stream of its own a request has lost its answer; others lose only the event. */
  readonly badEvent: 'fail' | 'skip';
}

const ERROR_BODY_BYTES = 64 * 1024;

/**
 * Reads one answer of a Streamable HTTP or HTTP+SSE server: JSON (an array is split), an event stream, nothing, or an
 * HTTP error. Limits are enforced while it streams. MCP basic/transports §Sending Messages to the Server.
 */
export function readAnswer(target: HttpTarget, limits: AnswerLimits, handlers: AnswerHandlers): HttpSink {
  const { maxBytes, maxDepth, pace } = limits;
  const body = new ByteBuffer();
  let stream: EventStream | undefined;
  let status = 0;
  let headers: HttpHeaders = {};
  let open = true;

  const fail = (failure: HttpFailure): false => {
    if (open) {
      open = false;
      handlers.onfail(failure);
    }
    return false;
  };

  const deliver = (text: string): boolean => {
    let messages: JsonRpcMessage[];
    try {
      messages = parseMessages(text, maxDepth);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      return fail(invalidAnswer(target, error.message));
    }
    for (const message of messages) handlers.onmessage(message, stream !== undefined);
    return true;
  };

  const failStatus = (): false => {
    let rpc: JsonRpcMessage | undefined;
    try {
      [rpc] = parseMessages(body.take().toString(), maxDepth);
    } catch {
      // Most errors come from something in front of the server and are not JSON-RPC.
    }
    return fail(statusFailure(target, status, headers, rpc));
  };

  const openStream = (): EventStream =>
    createEventStream(maxBytes, {
      onevent(data, id, event) {
        if (!open) return;
        if (id !== undefined) handlers.onid?.(id);
        if (event !== 'message') handlers.onevent?.(event, data);
        else if (data === '' || pace.isSurplus(data)) return;
        else if (limits.badEvent === 'fail') deliver(data);
        else skipBroken(data);
      },
      onretry: (ms) => handlers.onretry?.(ms),
      onoverflow: () => fail(tooLarge(target, maxBytes)),
    });

  const skipBroken = (data: string) => {
    let messages: JsonRpcMessage[] = [];
    try {
      messages = parseMessages(data, maxDepth);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
    }
    for (const message of messages) handlers.onmessage(message, stream !== undefined);
  };

  return {
    onhead(answered, received) {
      status = answered;
      headers = received;
      if (status >= 400) return true;
      if (isHtml(headers)) return fail(webPage(target));
      handlers.onhead?.(headers);
      if (String(headers['content-type'] ?? '').startsWith('text/event-stream')) stream = openStream();
      return open;
    },
    ondata(chunk) {
      if (stream) {
        stream.push(chunk);
        return open;
      }
      body.push(chunk);
      if (status >= 400) return body.length <= ERROR_BODY_BYTES || failStatus();
      return body.length <= maxBytes || fail(tooLarge(target, maxBytes));
    },
    onend() {
      if (!open) return;
      if (status >= 400) return void failStatus();
      const empty = !stream && (body.length === 0 || status === 202);
      if (!stream && !empty && !deliver(body.take().toString())) return;
      open = false;
      handlers.onend(stream ? 'stream' : empty ? 'empty' : 'json');
    },
    onfail: fail,
  };
}
