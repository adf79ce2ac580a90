import { isDeepStrictEqual } from 'node:util';
import type { RemoteBackendSpec } from '../../config/config.ts';
import { OnemcpError } from '../../errors.ts';
import type { Json, JsonRpcMessage, RequestId } from '../../world.ts';
import type { IoDeps } from '../deps.ts';
import { readAnswer } from '../httpAnswer.ts';
import { createCall, type HttpCall, type HttpContext } from '../httpCall.ts';
import { createHttpClient, type HttpClient } from '../httpClient.ts';
import { failureOf, type HttpFailure } from '../httpErrors.ts';
import { type Listening, listen } from '../httpListen.ts';
import { endSession, handshakeOf, isFailure, isSessionId, isSessionLoss } from '../httpSession.ts';
import { InFlight } from '../inFlight.ts';
import { notSent } from '../notSent.ts';
import { paceOf } from '../pace.ts';
import type { BackendTransport } from './transport.ts';

const PROBE_MS = 5_000;
const LIST_KINDS = ['tools', 'prompts', 'resources'] as const;

interface Held {
  readonly message: JsonRpcMessage;
  /** The message was sent before, in a session that was lost. */
  readonly repeated: boolean;
}

/**
 * Legacy Streamable HTTP, protocol versions 2025-03-26 to 2025-11-25. MCP basic/transports §Streamable HTTP.
 *
 * A lost session (404) is replaced once for everything in flight, and each request that met it is repeated once: the 404
 * says that it was not executed. A failed connection costs its request; a `ping` then decides whether the backend is
 * still there.
 */
export function openHttp(spec: RemoteBackendSpec, deps: IoDeps, pace = paceOf(deps)): BackendTransport {
  const { name } = spec;
  const { limits, log } = deps;
  let client: HttpClient | undefined;
  let context: HttpContext | undefined;
  let phase: 'open' | 'lost' | 'closed' = 'open';
  let version: string | undefined;
  let session: string | undefined;
  let initialize: JsonRpcMessage | undefined;
  let initialized: JsonRpcMessage = { jsonrpc: '2.0', method: 'notifications/initialized' };
  let agreed: Json = {};
  let postHeaders: string[] | undefined;
  let listening: Listening | undefined;
  /** Messages that wait for the handshake to end: a server may refuse what overtakes `notifications/initialized`. */
  let held: Held[] | undefined;
  let recovering = false;
  let probing = false;
  let internalIds = 0;
  let closing: Promise<void> | undefined;
  const calls = new InFlight<HttpCall>();

  const sessionHeaders = () => ({ 'mcp-protocol-version': version, 'mcp-session-id': session });

  const createContext = (http: HttpClient): HttpContext => ({
    client: http,
    maxBytes: limits['message.maxBytes'],
    maxDepth: limits['http.jsonDepth'],
    pace,
    postHeaders: () => {
      postHeaders ??= http.headers({
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...sessionHeaders(),
      });
      return postHeaders;
    },
    streamHeaders: (lastEventId) => http.headers({ accept: 'text/event-stream', ...sessionHeaders(), 'last-event-id': lastEventId }),
  });

  const setSession = (id: string | undefined) => {
    session = id;
    postHeaders = undefined;
  };

  const sessionLost = (why: string) =>
    new OnemcpError('session_lost', `"${name}" ended the session, and ${why}`, { server: name, reason: 'session-lost', retryable: true });

  /** What still waits for a connection or a handshake was not sent; what met a lost session was not executed. */
  const abortAll = (error?: OnemcpError) => {
    listening?.stop();
    listening = undefined;
    const waiting = held ?? [];
    held = undefined;
    const unsent = calls.takeAll().filter((call) => !call.abort());
    if (!error) return;
    for (const { message } of waiting) if (message.method !== undefined && message.id !== undefined) refuse(message.id, error);
    for (const { id } of unsent) refuse(id, error);
  };
  const refuse = (id: RequestId, error: OnemcpError) => transport.onfail?.(id, notSent(error));

  const giveUp = (id: RequestId) => {
    const flight = calls.find(id);
    if (!flight) return;
    calls.remove(flight);
    flight.value.abort();
  };

  const lost = (error: OnemcpError) => {
    if (phase !== 'open') return;
    phase = 'lost';
    abortAll(error);
    transport.onclose?.(error);
  };

  /** Sends a request of the peer (`origin` is its id) or of our own. */
  const call = (
    message: JsonRpcMessage,
    origin: RequestId | undefined,
    onanswer: (answer: JsonRpcMessage) => void,
    onfail: (failure: HttpFailure) => void,
  ) => {
    const created = createCall(context!, message, {
      ...(message.method === 'initialize' && {
        onhead(headers) {
          const given = headers['mcp-session-id'];
          if (given === undefined) return;
          if (isSessionId(given)) setSession(given);
          else log('warn', 'backend.session_id_ignored', { backend: name });
        },
      }),
      onmessage: (received) => transport.onmessage?.(received, origin),
      onanswer(answer) {
        calls.remove(flight);
        onanswer(answer);
      },
      onfail(failure) {
        calls.remove(flight);
        onfail(failure);
      },
    });
    const flight = calls.add(message.id as RequestId, created);
    created.start();
  };

  const ask = (message: JsonRpcMessage, repeated: boolean) => {
    const id = message.id as RequestId;
    const used = session;
    call(
      message,
      id,
      (answer) => {
        if (message.method === 'initialize') agreed = handshakeOf(answer);
        transport.onmessage?.(answer, id);
      },
      (failure) => {
        const { rpc } = failure;
        if (used !== undefined && isSessionLoss(failure)) {
          if (repeated) return transport.onfail?.(id, sessionLost('the new one too'));
          if (session !== used && !held) return ask(message, true);
          held ??= [];
          held.push({ message, repeated: true });
          return recover(used);
        }
        if (rpc?.error && rpc.id === id) return transport.onmessage?.(rpc, id);
        transport.onfail?.(id, failureOf(failure));
        if (failure.lost) probe();
      },
    );
  };

  /** Sends a notification or a response. `ondone` hears that the server has taken it, or why not. */
  const tell = (message: JsonRpcMessage, ondone?: (failure?: HttpFailure) => void) => {
    const used = session;
    let done = false;
    const finish = (failure?: HttpFailure) => {
      if (done || phase !== 'open') return;
      done = true;
      ondone?.(failure);
      if (!failure) return;
      log('debug', 'backend.notification_failed', { backend: name, method: message.method, error: failure.error.message });
      if (failure.lost) probe();
      else if (used !== undefined && isSessionLoss(failure)) recover(used);
    };
    const { client: http, maxBytes, maxDepth, postHeaders: headers } = context!;
    const exchange = http.send(
      { method: 'POST', headers: headers(), body: JSON.stringify(message) },
      readAnswer(
        http.target,
        { maxBytes, maxDepth, pace, badEvent: 'skip' },
        {
          onhead(answered) {
            finish();
            if (String(answered['content-type']).startsWith('text/event-stream')) exchange.abort();
          },
          onmessage() {},
          onend: () => finish(),
          onfail: finish,
        },
      ),
    );
  };

  /** A request of our own, which the peer never sees. `undefined`: no answer in time. */
  const request = (
    method: string,
    params: Json | undefined,
    timeoutMs: number,
    done: (outcome: JsonRpcMessage | HttpFailure | undefined) => void,
  ) => {
    const id = `onemcp-${method}-${++internalIds}`;
    const timer = setTimeout(() => {
      giveUp(id);
      if (phase === 'open') done(undefined);
    }, timeoutMs).unref();
    const settle = (outcome: JsonRpcMessage | HttpFailure) => {
      clearTimeout(timer);
      if (phase === 'open') done(outcome);
    };
    call({ jsonrpc: '2.0', id, method, ...(params && { params }) }, undefined, settle, settle);
  };

  const startListening = () => {
    listening?.stop();
    listening = listen(context!, {
      onmessage: (message) => {
        if (message.method !== undefined) transport.onmessage?.(message);
      },
      ongap() {
        for (const kind of LIST_KINDS) {
          const { listChanged } = ((agreed.capabilities as Json | undefined)?.[kind] ?? {}) as Json;
          if (listChanged) transport.onmessage?.({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
        }
      },
      onsessionlost: () => recover(session),
      onfail: probe,
    });
  };

  const release = () => {
    const waiting = held ?? [];
    held = undefined;
    if (recovering) {
      recovering = false;
      transport.onreset?.();
    }
    for (const { message, repeated } of waiting) dispatch(message, repeated);
  };

  const finishHandshake = () => {
    held ??= [];
    tell(initialized, (failure) => {
      if (!failure) startListening();
      release();
    });
  };

  /** Gets a new session in place of `used`. Single flight. */
  function recover(used: string | undefined) {
    if (recovering || phase !== 'open' || used === undefined || used !== session || !initialize) return;
    log('info', 'backend.session_lost', { backend: name });
    recovering = true;
    held ??= [];
    listening?.stop();
    const negotiated = version;
    version = undefined;
    setSession(undefined);
    request('initialize', initialize.params, spec.startTimeout, (outcome) => {
      version = negotiated;
      postHeaders = undefined;
      if (outcome === undefined) return lost(sessionLost('did not start a new one in time'));
      if (isFailure(outcome)) return lost(sessionLost(`a new one failed: ${outcome.error.message}`));
      if (!isDeepStrictEqual(handshakeOf(outcome), agreed)) return lost(sessionLost('the new one differs in version or capabilities'));
      finishHandshake();
    });
  }

  /** Asks whether the backend is still there, after a connection to it failed. Single flight. */
  function probe() {
    if (probing || recovering || phase !== 'open' || version === undefined) return;
    probing = true;
    const used = session;
    request('ping', undefined, PROBE_MS, (outcome) => {
      probing = false;
      if (outcome === undefined) {
        lost(new OnemcpError('connection_failed', `"${name}" no longer answers`, { server: name, reason: 'no-answer', retryable: true }));
      } else if (isFailure(outcome)) {
        if (outcome.lost) lost(outcome.error);
        else if (isSessionLoss(outcome)) recover(used);
      }
    });
  }

  const dispatch = (message: JsonRpcMessage, repeated: boolean) => {
    if (held) {
      // What was running in a lost session is gone: there is nothing to cancel, and nobody waits for our responses.
      if (!recovering || (message.method !== undefined && message.method !== 'notifications/cancelled')) held.push({ message, repeated });
    } else if (message.method === undefined || message.id === undefined) {
      if (message.method !== 'notifications/initialized') return tell(message);
      initialized = message;
      finishHandshake();
    } else {
      if (message.method === 'initialize') initialize = message;
      ask(message, repeated);
    }
  };

  const transport: BackendTransport = {
    async start() {
      client = createHttpClient(spec, deps, pace);
      context = createContext(client);
    },
    send(message) {
      if (phase === 'open' && context) dispatch(message, false);
    },
    forget(id) {
      giveUp(id);
      held = held?.filter(({ message }) => message.id !== id || message.method === undefined);
    },
    close({ kill = false } = {}) {
      closing ??= (async () => {
        const deletes = !kill && phase === 'open' && session !== undefined;
        phase = 'closed';
        abortAll();
        if (deletes) await endSession(context!.client, sessionHeaders());
        await client?.destroy();
      })();
      return closing;
    },
    setProtocolVersion(negotiated) {
      version = negotiated;
      postHeaders = undefined;
    },
    onmessage: undefined,
    onfail: undefined,
    onclose: undefined,
    onreset: undefined,
    pace,
    pid: undefined,
    stderrTail: '',
  };
  return transport;
}
