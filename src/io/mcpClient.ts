import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { OnemcpError, WireError } from '../errors.ts';
import type { Json, JsonRpcMessage, RequestId } from '../world.ts';
import { type AnswerHandlers, readAnswer } from './mcpAnswer.ts';
import { exchangeWith, type McpPlace } from './mcpExchange.ts';

export type { McpPlace };

export interface McpRequestOptions {
  /** Aborting cancels the request at the server, too. */
  readonly signal?: AbortSignal | undefined;
  /** Params of each `notifications/progress` of the request. */
  readonly onProgress?: ((params: Json) => void) | undefined;
}

/** One session of Streamable HTTP, as its client. */
export interface McpClient {
  /**
   * Sends a request and resolves with its result.
   * @throws WireError the JSON-RPC error it was answered with; OnemcpError `connection_failed`, `session_lost`, `http_status`,
   * `invalid_response`, `message_too_large`, or the reason of an aborted signal
   */
  request(method: string, params: Json, options?: McpRequestOptions): Promise<Json>;
  /** Ends the session; never fails, and never takes long. */
  close(): Promise<void>;
}

export interface McpClientOptions {
  readonly place: McpPlace;
  readonly version: string;
  readonly signal?: AbortSignal | undefined;
}

const PROTOCOL_VERSION = '2025-11-25';
const ACCEPT = 'application/json, text/event-stream';
/** Milliseconds for an endpoint to answer the first message. */
const FIRST_ANSWER = 15_000;
/** Milliseconds that a message which needs no answer may take. */
const COURTESY = 1_000;
/** Milliseconds until an event stream that ended is asked for the rest, if the server says nothing of it. */
const RETRY = 1_000;

/** Begins a session. MCP basic/lifecycle, basic/transports §Streamable HTTP. @throws as `request` */
export async function openMcp({ place, version, signal }: McpClientOptions): Promise<McpClient> {
  const exchange = exchangeWith(place);
  let headers: Readonly<Record<string, string>> = {};
  let nextId = 0;

  const post = (message: JsonRpcMessage, until?: AbortSignal): Promise<IncomingMessage> =>
    exchange({
      method: 'POST',
      headers: { ...headers, accept: ACCEPT, 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: until,
    });
  /** Nobody waits for what comes of it. */
  const tell = async (message: JsonRpcMessage): Promise<void> => {
    await post(message, AbortSignal.timeout(COURTESY)).then(
      (answer) => answer.on('error', () => {}).resume(),
      () => undefined,
    );
  };
  const cancel = (requestId: RequestId, reason: string) =>
    tell({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason } });

  /** The answer to a request, whatever becomes of the stream it comes on. */
  const answerTo = async (message: JsonRpcMessage, options: McpRequestOptions): Promise<Answered> => {
    const watch = watcher(message.id as RequestId, options.onProgress, (refusal) => void tell(refusal));
    const first = await post(message, options.signal);
    let how = await readAnswer(first, watch.handlers);
    while (how !== 'done') {
      const { lastEventId, retry } = watch;
      if (lastEventId === undefined) throw goneAway();
      if (how === 'ended') await sleep(retry, undefined, { signal: options.signal });
      const resume = { ...headers, accept: 'text/event-stream', 'last-event-id': lastEventId };
      how = await readAnswer(await exchange({ method: 'GET', headers: resume, signal: options.signal }), watch.handlers);
    }
    return { message: watch.answer as JsonRpcMessage, headers: first.headers };
  };

  const ask = async (method: string, params: Json, options: McpRequestOptions): Promise<Answered & { readonly result: Json }> => {
    const id = nextId++;
    const token = options.onProgress && { _meta: { progressToken: id } };
    try {
      const answered = await answerTo({ jsonrpc: '2.0', id, method, params: { ...params, ...token } }, options);
      const { result, error } = answered.message;
      if (error) throw new WireError(error);
      return { ...answered, result: result ?? {} };
    } catch (error) {
      const { signal: over } = options;
      if (!over?.aborted) throw id > 0 ? inSession(error) : error;
      if (id > 0) await cancel(id, String((over.reason as Error | undefined)?.message ?? 'cancelled'));
      throw over.reason;
    }
  };

  const timeout = AbortSignal.timeout(FIRST_ANSWER);
  const begin = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const params = { protocolVersion: PROTOCOL_VERSION, capabilities: {}, clientInfo: { name: 'onemcp-cli', version } };
  const opened = await ask('initialize', params, { signal: begin }).catch((error: unknown) => {
    if (error !== timeout.reason) throw error;
    throw new OnemcpError('timeout', `there was no answer within ${FIRST_ANSWER / 1000} s`);
  });
  const session = opened.headers['mcp-session-id'];
  const { protocolVersion } = opened.result;
  headers = {
    ...(typeof session === 'string' && { 'mcp-session-id': session }),
    ...(typeof protocolVersion === 'string' && { 'mcp-protocol-version': protocolVersion }),
  };
  await tell({ jsonrpc: '2.0', method: 'notifications/initialized' });

  return {
    request: async (method, given, options = {}) => (await ask(method, given, options)).result,
    async close() {
      if (headers['mcp-session-id'] === undefined) return;
      await exchange({ method: 'DELETE', headers, signal: AbortSignal.timeout(COURTESY) }).then(
        (answer) => answer.on('error', () => {}).resume(),
        () => undefined,
      );
    },
  };
}

interface Answered {
  readonly message: JsonRpcMessage;
  readonly headers: IncomingMessage['headers'];
}

const goneAway = () =>
  new OnemcpError('connection_failed', 'the gateway went away before it had answered; whether the request was carried out is not known');

/** In the middle of a session, nobody being there any more means that it went away. */
function inSession(error: unknown): unknown {
  if (!(error instanceof OnemcpError)) return error;
  if (error.code === 'connection_failed') return goneAway();
  if (error.code !== 'session_lost') return error;
  return new OnemcpError(
    'session_lost',
    'the gateway was restarted before it had answered; whether the request was carried out is not known',
  );
}

/** Looks out for the answer to one request, and does what else there is to do with what comes before it. */
function watcher(id: RequestId, onProgress: McpRequestOptions['onProgress'], say: (message: JsonRpcMessage) => void) {
  let answer: JsonRpcMessage | undefined;
  let lastEventId: string | undefined;
  let retry = RETRY;
  const handlers: AnswerHandlers = {
    onmessage(message) {
      const { method, params } = message;
      if (method === 'notifications/progress' && params?.progressToken === id) onProgress?.(params);
      else if (method !== undefined && message.id !== undefined) say(replyTo(method, message.id));
      if (method !== undefined || message.id !== id) return false;
      answer = message;
      return true;
    },
    onid(eventId) {
      lastEventId = eventId;
    },
    onretry(ms) {
      retry = ms;
    },
  };
  return {
    handlers,
    get answer() {
      return answer;
    },
    get lastEventId() {
      return lastEventId;
    },
    get retry() {
      return retry;
    },
  };
}

/** We said that we can do nothing, so nothing is asked of us but whether we are there. */
function replyTo(method: string, id: RequestId): JsonRpcMessage {
  if (method === 'ping') return { jsonrpc: '2.0', id, result: {} };
  return { jsonrpc: '2.0', id, error: { code: -32601, message: `onemcp-cli cannot answer ${method}` } };
}
