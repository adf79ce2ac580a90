import { OnemcpError, WireError } from '../errors.ts';
import type { BackendInfo, BackendSession, CancelSignal, Json, JsonRpcMessage, RequestId, RequestOptions, SessionEvent } from '../world.ts';
import type { Log } from './deps.ts';
import type { BackendTransport } from './transports/transport.ts';

/** Versions a backend may choose in `initialize`, newest first. */
const BACKEND_VERSIONS: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

export interface SessionOptions {
  /** Name of the backend, for messages. */
  readonly name: string;
  /** Milliseconds of silence, and in all, that one request may take. */
  readonly requestTimeout: number;
  readonly requestTotalTimeout: number;
  /** `clientInfo` of `initialize`. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly log: Log;
  /** Takes secrets out of what the backend says. */
  readonly redact?: (text: string) => string;
  /** Ends the handshake, and everything that was started for it. */
  readonly signal: AbortSignal;
}

interface Pending {
  readonly method: string;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((params: Json) => void) | undefined;
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly signal: CancelSignal | undefined;
  readonly onAbort: (() => void) | undefined;
  timer: NodeJS.Timeout;
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
      { protocolVersion: BACKEND_VERSIONS[0], capabilities: {}, clientInfo: options.clientInfo },
      // Whoever starts the session says how long that may take.
      { signal: options.signal, timeoutMs: options.requestTotalTimeout },
    );
    peer.info = backendInfo(options.name, result);
    transport.setProtocolVersion(peer.info.protocolVersion);
    peer.notify('notifications/initialized');
    return peer;
  } catch (error) {
    await peer.close();
    throw error instanceof WireError ? refusedHandshake(error, options) : error;
  }
}

function refusedHandshake(error: WireError, { name, redact = (text) => text }: SessionOptions): OnemcpError {
  const message = `"${name}" refused initialize: ${redact(error.message).slice(0, 400)}`;
  return new OnemcpError('invalid_response', message, { server: name, reason: 'init-error', retryable: true }, error);
}

function backendInfo(name: string, result: Json): BackendInfo {
  const version = result.protocolVersion;
  if (typeof version !== 'string' || !BACKEND_VERSIONS.includes(version)) {
    throw new OnemcpError(
      'unsupported_version',
      `"${name}" speaks protocol version ${JSON.stringify(version)?.slice(0, 40)}, which onemcp does not know (it knows ${BACKEND_VERSIONS.join(', ')})`,
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

const LIST_CHANGED: Readonly<Record<string, 'tools' | 'prompts' | 'resources'>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/prompts/list_changed': 'prompts',
  'notifications/resources/list_changed': 'resources',
};

/** Our end of the JSON-RPC connection: ids, the table of requests in flight, timeouts, cancellation. JSON-RPC 2.0. */
function createPeer(transport: BackendTransport, { name, log, requestTimeout, requestTotalTimeout }: SessionOptions) {
  const pending = new Map<RequestId, Pending>();
  const listeners = new Set<(event: SessionEvent) => void>();
  let nextId = 1;
  let closed: OnemcpError | undefined;
  let closing: Promise<void> | undefined;

  /** Takes a request out of the table; undefined when it was settled before. */
  const settle = (id: RequestId): Pending | undefined => {
    const entry = pending.get(id);
    if (!entry) return undefined;
    pending.delete(id);
    clearTimeout(entry.timer);
    if (entry.onAbort) entry.signal?.removeEventListener('abort', entry.onAbort);
    return entry;
  };

  const failAll = (error: OnemcpError) => {
    for (const id of [...pending.keys()]) settle(id)?.reject(error);
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

  const arm = (id: RequestId, timeoutMs: number, deadline: number): NodeJS.Timeout => {
    const left = deadline - performance.now();
    return setTimeout(
      () => {
        const limit = left < timeoutMs ? requestTotalTimeout : timeoutMs;
        const entry = pending.get(id);
        abandon(
          id,
          'timeout',
          new OnemcpError('timeout', `"${name}" did not answer ${entry?.method} within ${seconds(limit)}`, {
            server: name,
            reason: 'timeout',
            retryable: true,
            limitMs: limit,
          }),
        );
      },
      Math.max(0, Math.min(timeoutMs, left)),
    );
  };

  const onResponse = (message: JsonRpcMessage) => {
    let id = message.id;
    if (id === null || id === undefined) {
      // JSON-RPC 2.0 §5: an error whose request could not be read has no id; with one request in flight there is no doubt.
      if (pending.size !== 1) return log('debug', 'backend.unmatched', { backend: name });
      id = [...pending.keys()][0] as RequestId;
    }
    const entry = settle(id);
    if (!entry) return log('debug', 'backend.late', { backend: name, id: String(id) });
    if (message.error) return entry.reject(new WireError(message.error));
    const { result } = message;
    if (typeof result === 'object' && result !== null && !Array.isArray(result)) return entry.resolve(result);
    entry.reject(
      new OnemcpError('invalid_response', `"${name}" answered ${entry.method} with something that is not a result object`, {
        server: name,
        reason: 'invalid-response',
      }),
    );
  };

  const onRequest = (message: JsonRpcMessage) => {
    const { id, method } = message;
    if (method === 'ping') return transport.send({ jsonrpc: '2.0', id: id as RequestId, result: {} });
    log('debug', 'backend.request_refused', { backend: name, method });
    transport.send({
      jsonrpc: '2.0',
      id: id as RequestId,
      error: { code: -32601, message: `onemcp cannot tell which client ${method} is meant for, so it is not delivered` },
    });
  };

  const onNotification = (method: string, params: Json) => {
    if (method === 'notifications/progress') {
      const id = params.progressToken as RequestId;
      const entry = pending.get(id);
      if (!entry) return;
      clearTimeout(entry.timer);
      entry.timer = arm(id, entry.timeoutMs, entry.deadline);
      entry.onProgress?.(params);
      return;
    }
    const kind = LIST_CHANGED[method];
    if (kind) return emit({ type: 'listChanged', kind });
    emit({ type: 'notification', method, params });
  };

  transport.onmessage = (message) => {
    if (message.method === undefined) onResponse(message);
    else if (message.id !== undefined) onRequest(message);
    else onNotification(message.method, message.params ?? {});
  };
  transport.onfail = (id, error) => settle(id)?.reject(error);
  transport.onreset = () => emit({ type: 'reset' });
  transport.onclose = (error) => {
    closed ??= error;
    failAll(error);
    emit({ type: 'closed', error });
  };

  return {
    info: { protocolVersion: '', serverInfo: {}, capabilities: {} } as BackendInfo,
    get pid() {
      return transport.pid;
    },
    get inFlight() {
      return pending.size;
    },
    get stderrTail() {
      return transport.stderrTail;
    },

    request(method: string, params: Json | undefined, options: RequestOptions = {}): Promise<Json> {
      if (closed) return Promise.reject(closed);
      const { signal } = options;
      const cancelled = () => new OnemcpError('cancelled', `${method} was cancelled`, { server: name, reason: 'cancelled' });
      if (signal?.aborted) return Promise.reject(cancelled());
      const id = nextId++;
      return new Promise<Json>((resolve, reject) => {
        const timeoutMs = options.timeoutMs ?? requestTimeout;
        const deadline = performance.now() + (options.totalTimeoutMs ?? requestTotalTimeout);
        const onAbort = signal && (() => abandon(id, abortReason(signal), cancelled()));
        if (onAbort) signal.addEventListener('abort', onAbort);
        const timer = arm(id, timeoutMs, deadline);
        pending.set(id, { method, resolve, reject, onProgress: options.onProgress, timeoutMs, deadline, signal, onAbort, timer });
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

    close(): Promise<void> {
      closing ??= (async () => {
        closed ??= new OnemcpError('shutting_down', `the connection to "${name}" is being closed`, {
          server: name,
          reason: 'shutting_down',
        });
        failAll(closed);
        await transport.close();
      })();
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
