import { OnemcpError, WireError } from '../errors.ts';
import type { CancelSignal, Json, JsonRpcMessage, RequestId } from '../world.ts';
import type { LogLevel } from './levels.ts';

/** Sends a message on one stream to a client. @returns false if the client cannot get it there */
export type Send = (message: JsonRpcMessage) => boolean;

export interface AskOptions {
  /** The stream to ask on; default: the one for what belongs to no request of the client. */
  readonly send?: Send | undefined;
  /** Takes the question back; the client is told. */
  readonly signal: CancelSignal;
  /** Milliseconds without an answer or progress. */
  readonly timeoutMs: number;
  /** Params of `notifications/progress` of the client; without it the client is asked for none. */
  readonly onProgress?: ((params: Json) => void) | undefined;
}

/** One client, as the rest of the gateway knows it. */
export interface Client {
  /** `client-7`: unique in this run, and no secret, unlike the id of its HTTP session. */
  readonly id: string;
  /** Who it is; without authentication everybody is `anonymous`. */
  readonly principal: string;
  readonly protocolVersion: string;
  /** What it declared in `initialize`. */
  readonly capabilities: Json;
  /** Lowest level of log messages it asked for, if it did. */
  level: LogLevel | undefined;
  /** Sends what belongs to none of its requests. A notification may wait for a stream, a request does not. */
  readonly send: Send;
  /**
   * Asks the client, and resolves with its raw `result`.
   * @throws WireError the client's own error; OnemcpError `timeout`, `cancelled`, `connection_failed` if it cannot be reached
   */
  ask(method: string, params: Json | undefined, options: AskOptions): Promise<Json>;
}

/** The client as its session sees it. */
export interface ClientEnd extends Client {
  /** The answer to a request of ours; others are ignored. */
  answered(message: JsonRpcMessage): void;
  /** Progress of a request of ours. */
  progressed(params: Json): void;
  /** Nobody will answer any more. */
  gone(): void;
}

interface Ask {
  readonly resolve: (result: Json) => void;
  readonly reject: (error: Error) => void;
  readonly options: AskOptions;
  readonly onAbort: () => void;
  timer: NodeJS.Timeout;
}

let clients = 0;

export function createClient({
  capabilities,
  protocolVersion,
  principal,
  send,
}: Pick<Client, 'capabilities' | 'protocolVersion' | 'principal' | 'send'>): ClientEnd {
  const asks = new Map<RequestId, Ask>();
  let nextId = 1;
  let over = false;

  const settle = (id: RequestId): Ask | undefined => {
    const ask = asks.get(id);
    if (!ask) return undefined;
    asks.delete(id);
    clearTimeout(ask.timer);
    ask.options.signal.removeEventListener('abort', ask.onAbort);
    return ask;
  };

  /** Gives a question up and tells the client so. MCP basic/utilities/cancellation. */
  const takeBack = (id: RequestId, reason: string, error: OnemcpError) => {
    const ask = settle(id);
    if (!ask) return;
    const message: JsonRpcMessage = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } };
    if (!ask.options.send?.(message)) send(message);
    ask.reject(error);
  };

  const arm = (id: RequestId, method: string, timeoutMs: number) =>
    setTimeout(() => {
      takeBack(id, 'timeout', new OnemcpError('timeout', `the client did not answer ${method} within ${timeoutMs / 1000} s`));
    }, timeoutMs);

  return {
    id: `client-${++clients}`,
    principal,
    protocolVersion,
    capabilities,
    level: undefined,
    send,

    ask(method, params, options) {
      const { signal, timeoutMs, onProgress } = options;
      const cancelled = () => new OnemcpError('cancelled', `${method} was taken back`);
      if (over) return Promise.reject(new OnemcpError('connection_failed', 'the client has gone'));
      if (signal.aborted) return Promise.reject(cancelled());
      const id = nextId++;
      return new Promise<Json>((resolve, reject) => {
        const onAbort = () => takeBack(id, typeof signal.reason === 'string' ? signal.reason : 'no longer needed', cancelled());
        signal.addEventListener('abort', onAbort);
        asks.set(id, { resolve, reject, options, onAbort, timer: arm(id, method, timeoutMs) });
        const asked = onProgress ? { ...params, _meta: { ...(params?._meta as Json | undefined), progressToken: id } } : params;
        if ((options.send ?? send)({ jsonrpc: '2.0', id, method, ...(asked && { params: asked }) })) return;
        settle(id)?.reject(new OnemcpError('connection_failed', `the client has no stream open on which ${method} could reach it`));
      });
    },

    answered({ id, result, error }) {
      const ask = settle(id as RequestId);
      if (!ask) return;
      if (error) ask.reject(new WireError(error));
      else if (typeof result === 'object' && result !== null && !Array.isArray(result)) ask.resolve(result);
      else ask.reject(new OnemcpError('invalid_response', 'the client answered with something that is not a result object'));
    },

    progressed(params) {
      const id = params.progressToken as RequestId;
      const ask = asks.get(id);
      if (!ask?.options.onProgress) return;
      ask.timer.refresh();
      ask.options.onProgress(params);
    },

    gone() {
      over = true;
      for (const id of [...asks.keys()]) settle(id)?.reject(new OnemcpError('connection_failed', 'the client has gone'));
    },
  };
}
