import { OnemcpError, WireError } from '../errors.ts';
import type {
  BackendInfo,
  BackendSession,
  CancelSignal,
  Json,
  JsonRpcMessage,
  RequestId,
  RequestOptions,
  SessionEvent,
  Upward,
} from '../world.ts';
import type { Log } from './deps.ts';
import { createFlood } from './flood.ts';
import { printable } from './lines.ts';
import { notSent } from './notSent.ts';
import { ProgressGate } from './progress.ts';
import { createRelayable } from './relayable.ts';
import { RequestTable } from './requestTable.ts';
import type { BackendTransport } from './transports/transport.ts';

/** Versions a backend may choose in `initialize`, newest first. */
const BACKEND_VERSIONS: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

export interface SessionOptions {
  /** Name of the backend, for messages. */
  readonly name: string;
  /** Milliseconds of silence, and in all, that one request may take. */
  readonly requestTimeout: number;
  readonly requestTotalTimeout: number;
  /** Milliseconds by which people may extend `requestTotalTimeout` of one request. */
  readonly humanTotalTimeout: number;
  /** Messages a second that are looked at, and progress a second of one request: see `flood` in `limits.ts`. */
  readonly floodMessages: number;
  readonly floodProgress: number;
  /** `clientInfo` of `initialize`. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** What `initialize` declares; default: nothing. */
  readonly capabilities?: Json;
  /** The one client this connection is for: it gets what cannot be attributed to one of its requests. */
  readonly owner?: Upward | undefined;
  readonly log: Log;
  /** Takes secrets out of what the backend says. */
  readonly redact?: (text: string) => string;
  /** Ends the handshake, and everything that was started for it. */
  readonly signal: AbortSignal;
}

interface Pending {
  readonly id: number;
  readonly method: string;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((params: Json) => void) | undefined;
  readonly upward: Upward | undefined;
  readonly timeoutMs: number;
  deadline: number;
  readonly signal: CancelSignal | undefined;
  readonly onAbort: (() => void) | undefined;
  timer: NodeJS.Timeout;
  /** Present once it has reported progress that somebody wants. */
  gate: ProgressGate<Json> | undefined;
  /** Requests of the backend that somebody is being asked for this one. */
  legs: number;
  /** When the first of them began. */
  pausedAt: number;
  /** Milliseconds by which they have moved the deadline. */
  extended: number;
}

/** A request of the backend that is with a client. */
interface Leg {
  readonly controller: AbortController;
  /** Our request on whose stream it arrived. */
  readonly origin: Pending | undefined;
}

/**
 * Starts a transport and does the legacy handshake (`initialize`, `notifications/initialized`).
 * @throws OnemcpError `spawn_failed`, `connection_failed`, `unsupported_version`, `cancelled`, …; `invalid_response` also when
 * the backend answers `initialize` with an error. The transport is closed before it throws.
 */
export async function openSession(transport: BackendTransport, options: SessionOptions): Promise<BackendSession> {
  const peer = createPeer(transport, options);
  try {
    options.signal.throwIfAborted();
    await transport.start();
    const result = await peer.request(
      'initialize',
      { protocolVersion: BACKEND_VERSIONS[0], capabilities: peer.declared, clientInfo: options.clientInfo },
      // Whoever starts the session says how long that may take.
      { signal: options.signal, timeoutMs: options.requestTotalTimeout },
    );
    peer.info = backendInfo(options, result);
    transport.setProtocolVersion(peer.info.protocolVersion);
    peer.notify('notifications/initialized');
    return peer;
  } catch (error) {
    await peer.close();
    throw error instanceof WireError ? refusedHandshake(error, options) : error;
  }
}

function refusedHandshake(error: WireError, { name, redact = (text) => text }: SessionOptions): OnemcpError {
  const message = `"${name}" refused initialize: ${printable(redact(error.message), 400)}`;
  return new OnemcpError('invalid_response', message, { server: name, reason: 'init-error', retryable: true }, error);
}

function backendInfo({ name, redact = (text) => text }: SessionOptions, result: Json): BackendInfo {
  const version = result.protocolVersion;
  if (typeof version !== 'string' || !BACKEND_VERSIONS.includes(version)) {
    throw new OnemcpError(
      'unsupported_version',
      `"${name}" speaks protocol version ${printable(redact(String(JSON.stringify(version))), 40)}, which onemcp does not know (it knows ${BACKEND_VERSIONS.join(', ')})`,
      { server: name, reason: 'unsupported-version', retryable: false },
    );
  }
  const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
  return {
    protocolVersion: version,
    serverInfo: object(result.serverInfo),
    capabilities: object(result.capabilities),
    ...(typeof result.instructions === 'string' && { instructions: result.instructions }),
  };
}

const HINT = 'set "isolation": "session" for this server to give every client a connection of its own';

const LIST_CHANGED: ReadonlyMap<string, 'tools' | 'prompts' | 'resources'> = new Map([
  ['notifications/tools/list_changed', 'tools'],
  ['notifications/prompts/list_changed', 'prompts'],
  ['notifications/resources/list_changed', 'resources'],
]);

/** Our end of the JSON-RPC connection: ids, the table of requests in flight, timeouts, cancellation. JSON-RPC 2.0. */
function createPeer(transport: BackendTransport, options: SessionOptions) {
  const relayable = createRelayable(options);
  const { name, log, requestTimeout, requestTotalTimeout, humanTotalTimeout, floodProgress, capabilities = {}, owner } = options;
  const { redact = (text) => text } = options;
  const pending = new RequestTable<Pending>();
  const legs = new Map<RequestId, Leg>();
  const listeners = new Set<(event: SessionEvent) => void>();
  let refused = false;
  let nextId = 1;
  let closed: OnemcpError | undefined;
  let closing: Promise<void> | undefined;
  let lastReceived = performance.now();
  let lastRequested = lastReceived;

  /** Takes a request out of the table; undefined when it was settled before. */
  const settle = (id: RequestId): Pending | undefined => {
    const entry = pending.take(id);
    if (!entry) return undefined;
    clearTimeout(entry.timer);
    if (entry.onAbort) entry.signal?.removeEventListener('abort', entry.onAbort);
    entry.gate?.flush();
    if (entry.legs > 0) for (const leg of legs.values()) if (leg.origin === entry) leg.controller.abort('its call is over');
    return entry;
  };

  const failAll = (error: OnemcpError) => {
    for (const { id } of pending.all()) settle(id)?.reject(error);
    takeBackAll();
  };

  /** Nobody waits for the answers of clients any more. */
  const takeBackAll = () => {
    flood.clear();
    const open = [...legs.values()];
    legs.clear();
    for (const { controller } of open) controller.abort('the server has gone');
  };

  const emit = (event: SessionEvent) => {
    for (const listener of listeners) listener(event);
  };

  /** Gives a request up: tells the backend, unless it must not be cancelled (`initialize`: MCP basic/lifecycle). */
  const abandon = (id: RequestId, reason: string, error: OnemcpError) => {
    const entry = settle(id);
    if (!entry) return;
    if (entry.method !== 'initialize') {
      transport.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } });
    }
    transport.forget(id);
    entry.reject(error);
  };

  /** `left`: milliseconds until its deadline. */
  const arm = (id: RequestId, timeoutMs: number, left: number): NodeJS.Timeout =>
    setTimeout(
      () => {
        const limit = left < timeoutMs ? requestTotalTimeout : timeoutMs;
        const entry = pending.get(id);
        const method = entry?.method;
        abandon(
          id,
          'timeout',
          new OnemcpError('timeout', `"${name}" did not answer ${method} within ${seconds(limit)}`, {
            server: name,
            reason: 'timeout',
            retryable: true,
            limitMs: limit,
          }),
        );
        if (method !== 'ping' && method !== 'initialize') emit({ type: 'timedOut' });
      },
      Math.max(0, Math.min(timeoutMs, left)),
    );

  const onResponse = (message: JsonRpcMessage) => {
    let id = message.id;
    if (id === null || id === undefined) {
      if (!message.error) return stray('backend.unmatched', id);
      // JSON-RPC 2.0 §5: an error whose request could not be read has no id; with one request in flight there is no doubt.
      if (pending.size !== 1) return stray('backend.unmatched', id);
      id = pending.all()[0]?.id as RequestId;
    }
    const entry = settle(id);
    if (!entry) return stray('backend.late', id);
    if (message.error) return entry.reject(new WireError(relayable(message.error)));
    const { result } = message;
    if (typeof result === 'object' && result !== null && !Array.isArray(result)) return entry.resolve(result);
    entry.reject(
      new OnemcpError('invalid_response', `"${name}" answered ${entry.method} with something that is not a result object`, {
        server: name,
        reason: 'invalid-response',
      }),
    );
  };

  const stray = (event: string, id: RequestId | null | undefined) => {
    if (flood.admitStray(lastReceived)) log('debug', event, { backend: name, id: redact(String(id)).slice(0, 100) });
  };

  const pause = (entry: Pending) => {
    if (++entry.legs > 1) return;
    entry.pausedAt = performance.now();
    clearTimeout(entry.timer);
    entry.timer = arm(entry.id, Number.POSITIVE_INFINITY, entry.deadline + humanTotalTimeout - entry.extended - entry.pausedAt);
  };

  const resume = (entry: Pending) => {
    if (--entry.legs > 0 || pending.get(entry.id) !== entry) return;
    const by = Math.min(performance.now() - entry.pausedAt, humanTotalTimeout - entry.extended);
    entry.extended += by;
    entry.deadline += by;
    clearTimeout(entry.timer);
    entry.timer = arm(entry.id, entry.timeoutMs, entry.deadline - performance.now());
  };

  /**
   * Whom a message of the backend is for: the client of the request on whose stream it arrived. On a connection of one
   * client alone everything is that client's; it gets it with its newest request if there is one.
   */
  const upwardOf = (origin: RequestId | undefined): Upward | undefined => {
    const own = origin === undefined ? undefined : pending.get(origin)?.upward;
    if (own || !owner) return own;
    return pending.all().findLast(({ upward }) => upward)?.upward ?? owner;
  };

  const onRequest = (message: JsonRpcMessage, origin: RequestId | undefined) => {
    const id = message.id as RequestId;
    const { method, params } = message as { method: string; params?: Json };
    const respond = (answer: object) => {
      if (!closed) transport.send({ jsonrpc: '2.0', id, ...answer });
    };
    if (method === 'ping') return respond({ result: {} });
    const upward = upwardOf(origin);
    if (!upward) {
      log(refused ? 'debug' : 'info', 'backend.request_refused', { backend: name, method, message: HINT });
      refused = true;
      return respond({
        error: { code: -32601, message: `onemcp cannot tell which client ${method} is meant for, so it is not delivered; ${HINT}` },
      });
    }
    const own = origin === undefined ? undefined : pending.get(origin);
    const paused = own ? [own] : pending.all();
    const leg: Leg = { controller: new AbortController(), origin: own };
    legs.set(id, leg);
    paused.forEach(pause);
    const token = (params?._meta as Json | null | undefined)?.progressToken;
    const onProgress = (progress: Json) => {
      if (token !== undefined)
        transport.send({ jsonrpc: '2.0', method: 'notifications/progress', params: { ...progress, progressToken: token } });
    };
    const finish = (answer: object) => {
      paused.forEach(resume);
      // A request that was taken back gets no answer.
      if (legs.get(id) !== leg) return;
      legs.delete(id);
      respond(answer);
    };
    upward.request(method, params, { signal: leg.controller.signal, onProgress }).then(
      (result) => finish({ result }),
      (error) => finish({ error: error instanceof WireError ? error.error : { code: -32603, message: (error as Error).message } }),
    );
  };

  const onNotification = (method: string, params: Json, origin: RequestId | undefined) => {
    if (method === 'notifications/progress') {
      const id = params.progressToken as RequestId;
      const entry = pending.get(id);
      if (!entry) return;
      if (entry.legs === 0) {
        clearTimeout(entry.timer);
        entry.timer = arm(id, entry.timeoutMs, entry.deadline - lastReceived);
      }
      if (entry.onProgress) {
        entry.gate ??= new ProgressGate(entry.onProgress, floodProgress);
        entry.gate.push(params, lastReceived);
      }
      return;
    }
    if (method === 'notifications/cancelled') {
      if (flood.forget(params.requestId as RequestId)) return;
      const leg = legs.get(params.requestId as RequestId);
      if (!leg) return;
      legs.delete(params.requestId as RequestId);
      return leg.controller.abort(typeof params.reason === 'string' ? params.reason : 'taken back by the server');
    }
    const kind = LIST_CHANGED.get(method);
    if (kind) return emit({ type: 'listChanged', kind });
    const upward = method === 'notifications/message' ? upwardOf(origin) : undefined;
    if (upward) return upward.notify(method, params);
    emit({ type: 'notification', method, params });
  };

  const onUnasked = (message: JsonRpcMessage, origin: RequestId | undefined) => {
    if (message.id !== undefined) onRequest(message, origin);
    else onNotification(message.method as string, message.params ?? {}, origin);
  };

  const flood = createFlood({
    name,
    rate: options.floodMessages,
    pace: transport.pace,
    log,
    deliver: onUnasked,
    refuse({ id }) {
      const message = `onemcp has no room for more requests of this server: it sends more than ${options.floodMessages} messages a second`;
      transport.send({ jsonrpc: '2.0', id: id as RequestId, error: { code: -32603, message } });
    },
  });

  transport.onmessage = (message, origin) => {
    lastReceived = performance.now();
    if (message.method === undefined) onResponse(message);
    else if (flood.admit(message, origin, lastReceived)) onUnasked(message, origin);
  };
  transport.onfail = (id, error) => settle(id)?.reject(error);
  transport.onreset = () => {
    takeBackAll();
    emit({ type: 'reset' });
  };
  transport.onclose = (error) => {
    closed ??= error;
    failAll(error);
    flood.end();
    emit({ type: 'closed', error });
  };

  return {
    info: { protocolVersion: '', serverInfo: {}, capabilities: {} } as BackendInfo,
    declared: capabilities,
    get pid() {
      return transport.pid;
    },
    get inFlight() {
      return pending.size;
    },
    get lastReceived() {
      return lastReceived;
    },
    get lastRequested() {
      return lastRequested;
    },
    get stderrTail() {
      return transport.stderrTail;
    },

    request(method: string, params: Json | undefined, options: RequestOptions = {}): Promise<Json> {
      if (closed) return Promise.reject(notSent(closed));
      const { signal } = options;
      const cancelled = () => new OnemcpError('cancelled', `${method} was cancelled`, { server: name, reason: 'cancelled' });
      if (signal?.aborted) return Promise.reject(cancelled());
      const id = nextId++;
      return new Promise<Json>((resolve, reject) => {
        const timeoutMs = options.timeoutMs ?? requestTimeout;
        const now = performance.now();
        if (method !== 'ping') lastRequested = now;
        const totalTimeoutMs = options.totalTimeoutMs ?? requestTotalTimeout;
        const onAbort =
          signal &&
          (() => {
            pending.get(id)?.gate?.drop();
            abandon(id, abortReason(signal), cancelled());
          });
        if (onAbort) signal.addEventListener('abort', onAbort);
        const timer = arm(id, timeoutMs, totalTimeoutMs);
        // One literal with all its fields: a spread here would cost every call a fifth of its time.
        pending.add({
          id,
          method,
          resolve,
          reject,
          onProgress: options.onProgress,
          upward: options.upward,
          timeoutMs,
          deadline: now + totalTimeoutMs,
          signal,
          onAbort,
          timer,
          gate: undefined,
          legs: 0,
          pausedAt: 0,
          extended: 0,
        });
        transport.send(params ? { jsonrpc: '2.0', id, method, params: withToken(params, id, options) } : { jsonrpc: '2.0', id, method });
      });
    },

    notify(method: string, params?: Json) {
      if (!closed) transport.send({ jsonrpc: '2.0', method, ...(params && { params }) });
    },

    subscribe(listener: (event: SessionEvent) => void) {
      listeners.add(listener);
      if (closed) listener({ type: 'closed', error: closed });
      return () => void listeners.delete(listener);
    },

    close(options: { readonly kill?: boolean } = {}): Promise<void> {
      if (closing) {
        if (options.kill) void transport.close(options);
        return closing;
      }
      closed ??= new OnemcpError('shutting_down', `the connection to "${name}" is being closed`, { server: name, reason: 'shutting_down' });
      // The transport first: it knows which requests have not left yet.
      closing = transport.close(options);
      failAll(closed);
      flood.end();
      return closing;
    },

    toJSON: () => ({ backend: name, pid: transport.pid, inFlight: pending.size }),
  };
}

/** Puts our own progress token of this hop into the parameters. MCP basic/utilities/progress. */
function withToken(params: Json, id: RequestId, { onProgress }: RequestOptions): Json {
  if (!onProgress) return params;
  const meta = params._meta as Json | undefined;
  if (meta) meta.progressToken = id;
  else params._meta = { progressToken: id };
  return params;
}

const abortReason = ({ reason }: CancelSignal): string => (typeof reason === 'string' ? reason : 'cancelled');

const seconds = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`);
