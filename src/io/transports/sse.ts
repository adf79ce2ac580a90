import type { RemoteBackendSpec } from '../../config/config.ts';
import { OnemcpError } from '../../errors.ts';
import type { JsonRpcMessage } from '../../world.ts';
import type { IoDeps } from '../deps.ts';
import { readAnswer } from '../httpAnswer.ts';
import { createHttpClient, type Exchange, type HttpClient } from '../httpClient.ts';
import { failureOf, type HttpFailure, invalidAnswer } from '../httpErrors.ts';
import { paceOf } from '../pace.ts';
import type { BackendTransport } from './transport.ts';

/**
 * Legacy HTTP+SSE, protocol version 2024-11-05: one event stream for everything the server says, whose first event names
 * the address for our POSTs. The stream is the session: its end is the end of the connection.
 * MCP 2024-11-05 basic/transports §HTTP with SSE.
 */
export function openSse(spec: RemoteBackendSpec, deps: IoDeps, pace = paceOf(deps)): BackendTransport {
  const { name } = spec;
  const { limits, log } = deps;
  const maxBytes = limits['message.maxBytes'];
  const maxDepth = limits['http.jsonDepth'];
  let client: HttpClient | undefined;
  let phase: 'connecting' | 'open' | 'lost' | 'closed' = 'connecting';
  let stream: Exchange | undefined;
  let endpoint: string | undefined;
  let postHeaders: string[] | undefined;
  let version: string | undefined;
  /** Messages that wait until `notifications/initialized` was taken. */
  let held: JsonRpcMessage[] | undefined;
  let rejectStart: ((error: OnemcpError) => void) | undefined;
  let closing: Promise<void> | undefined;

  const broken = (reason: string, says: string) =>
    new OnemcpError('connection_failed', `"${name}" ${says}`, { server: name, reason, retryable: true });

  const abortAll = () => {
    stream?.abort();
    held = undefined;
  };

  /** Before the endpoint is known this fails `start()`, afterwards it ends the connection. */
  const lost = (error: OnemcpError) => {
    if (phase === 'connecting') {
      phase = 'lost';
      abortAll();
      rejectStart?.(error);
    } else if (phase === 'open') {
      phase = 'lost';
      abortAll();
      transport.onclose?.(error);
    }
  };

  const openStream = (http: HttpClient, onendpoint: () => void) => {
    stream = http.send(
      { method: 'GET', headers: http.headers({ accept: 'text/event-stream' }) },
      readAnswer(
        http.target,
        { maxBytes, maxDepth, pace, badEvent: 'skip' },
        {
          onmessage(message, streamed) {
            if (streamed && phase === 'open') transport.onmessage?.(message);
          },
          onevent(event, data) {
            if (event !== 'endpoint' || phase !== 'connecting') return;
            const url = URL.canParse(data, http.url.href) ? new URL(data, http.url) : undefined;
            if (url?.origin !== http.url.origin) {
              return lost(broken('endpoint', `wants its messages sent to ${url?.origin ?? 'an invalid address'}, which is another origin`));
            }
            endpoint = url.pathname + url.search;
            onendpoint();
          },
          onend(form) {
            if (form === 'stream') lost(broken('stream-ended', 'ended its event stream'));
            else lost(invalidAnswer(http.target, 'no event stream: this is not an HTTP+SSE endpoint').error);
          },
          onfail: ({ error }) => lost(error),
        },
      ),
    );
  };

  const post = (message: JsonRpcMessage, ondone?: () => void) => {
    const id = message.method === undefined ? undefined : message.id;
    const onfail = (failure: HttpFailure) => {
      if (phase !== 'open') return;
      const { error, status, rpc } = failure;
      if (status === 404 || status === 410) {
        return lost(
          new OnemcpError('session_lost', `"${name}" no longer knows the session`, {
            server: name,
            reason: 'session-lost',
            retryable: true,
          }),
        );
      }
      if (id === undefined) log('debug', 'backend.notification_failed', { backend: name, method: message.method, error: error.message });
      else if (rpc?.error && rpc.id === id) transport.onmessage?.(rpc);
      else transport.onfail?.(id, failureOf(failure));
      ondone?.();
    };
    postHeaders ??= client!.headers({ 'content-type': 'application/json', 'mcp-protocol-version': version });
    client!.send(
      { method: 'POST', path: endpoint as string, headers: postHeaders, body: JSON.stringify(message) },
      // The answer comes on the event stream; what the POST is answered with matters only when it is an error.
      readAnswer(
        client!.target,
        { maxBytes, maxDepth, pace, badEvent: 'skip' },
        {
          onhead: () => ondone?.(),
          onmessage() {},
          onend() {},
          onfail(failure) {
            if (failure.status !== undefined || failure.lost) onfail(failure);
            else ondone?.();
          },
        },
      ),
    );
  };

  const dispatch = (message: JsonRpcMessage) => {
    if (held) held.push(message);
    else if (message.method !== 'notifications/initialized') post(message);
    else {
      held = [];
      post(message, () => {
        const waiting = held ?? [];
        held = undefined;
        for (const next of waiting) dispatch(next);
      });
    }
  };

  const transport: BackendTransport = {
    start: () =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => lost(broken('no-answer', `did not open its event stream in ${spec.startTimeout} ms`)),
          spec.startTimeout,
        );
        rejectStart = (error) => {
          clearTimeout(timer);
          reject(error);
        };
        try {
          client = createHttpClient(spec, deps, pace);
          openStream(client, () => {
            clearTimeout(timer);
            phase = 'open';
            resolve();
          });
        } catch (error) {
          clearTimeout(timer);
          reject(error);
        }
      }),
    send(message) {
      if (phase === 'open') dispatch(message);
    },
    forget(id) {
      held = held?.filter((message) => message.id !== id || message.method === undefined);
    },
    close() {
      closing ??= (async () => {
        const connecting = phase === 'connecting';
        phase = 'closed';
        abortAll();
        if (connecting) rejectStart?.(broken('closed', 'was closed while it was connecting'));
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
