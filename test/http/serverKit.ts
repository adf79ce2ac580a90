/** The HTTP side over a fake gateway, on a real socket, and clients that see every byte of their event streams. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { createApp } from '../../src/http/app.ts';
import { createHostGuard } from '../../src/http/guard/host.ts';
import { postFromNode } from '../../src/http/mcp.ts';
import { listen } from '../../src/http/server.ts';
import { createSessions } from '../../src/http/sessions.ts';
import { createStreams } from '../../src/http/streams.ts';
import type { Limits } from '../../src/limits.ts';
import type { Health } from '../../src/observe/health.ts';
import type { Json, JsonRpcMessage, RequestOptions } from '../../src/world.ts';
import { deferred, fakeGateway, fakeSession, tool, viewOf } from '../support/fakeWorld.ts';
import { type Event, eventsIn } from './outletKit.ts';

/** A call of the tool `a__t`, as it reached the backend. */
export interface BackendCall {
  /** `arguments` of the call. */
  readonly args: Json;
  readonly options: RequestOptions;
  answer(result?: Json): void;
}

/** A gateway with one backend `a` that has one tool `t`, which is answered by the test. */
export async function serve(changed: Partial<Limits> = {}, { legacySse = true } = {}) {
  const calls: BackendCall[] = [];
  const backend = fakeSession({
    answer({ method, params, options }) {
      if (method !== 'tools/call') return {};
      const { promise, resolve, reject } = deferred<Json>();
      options.signal?.addEventListener('abort', () => reject(new OnemcpError('cancelled', 'the call was cancelled')));
      calls.push({ args: (params?.arguments ?? {}) as Json, options, answer: (result = {}) => resolve(result) });
      return promise;
    },
  });
  const gateway = fakeGateway([viewOf('a', { session: backend, items: { tools: [tool('t')] } })], { limits: changed });
  const { context, methods, onBug } = gateway;
  const { limits } = context;
  const streams = createStreams({ keepAlive: limits['sse.keepAlive'], queueBytes: limits['sse.queueBytes'] });
  const sessions = createSessions({ limits, now: context.now, streams });
  const mcp = { context, methods, sessions, streams, onBug };
  const guard = createHostGuard({ trustedHosts: [], allowedOrigins: [] });
  const health = { world: context.world, health: () => ({}) as Health, details: 'auto' as const, explain: () => ({}) };
  const app = createApp({ guard, mcp, legacySse, health });
  const server = await listen({
    fetch: app.fetch as never,
    express(incoming, outgoing) {
      if (incoming.method !== 'POST' || incoming.url !== '/mcp') return false;
      postFromNode(incoming, outgoing, mcp);
      return true;
    },
    host: '127.0.0.1',
    port: 0,
    limits,
  });
  onTestFinished(async () => {
    sessions.closeAll();
    streams.endAll();
    await server.close(100);
    if (gateway.bugs.length > 0) throw gateway.bugs[0];
  });

  const send = (sent: Sent) => exchange(server.port, sent);
  const open = async (protocolVersion = '2025-11-25', capabilities: Json = {}) => {
    const opening = await send({ body: rpc('initialize', { protocolVersion, capabilities, clientInfo: { name: 't', version: '1' } }, 0) });
    await opening.ended;
    return clientOf(send, String(opening.headers['mcp-session-id']));
  };
  return { ...gateway, url: server.url, port: server.port, sessions, streams, backend, calls, send, open };
}

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export const rpc = (method: string, params: Json = {}, id?: string | number) =>
  JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), method, params });

export const callOf = (id: string | number, args: Json = {}, progressToken?: string) =>
  rpc('tools/call', { name: 'a__t', arguments: args, ...(progressToken && { _meta: { progressToken } }) }, id);

/** One answer, while it comes. */
export interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly events: readonly Event[];
  /** The messages of the event stream, or of the JSON. */
  readonly messages: readonly (JsonRpcMessage & { params: Json; result: Json; error: Json })[];
  readonly lastId: string | undefined;
  /** Resolves when the server has ended it, or the connection broke. */
  readonly ended: Promise<unknown>;
  /** Reads nothing for some milliseconds. */
  pause(ms: number): void;
  /** Breaks the connection. */
  drop(): void;
}

function exchange(port: number, { method = 'POST', path = '/mcp', headers = {}, body }: Sent): Promise<Got> {
  const sent: ClientRequest = httpRequest({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  });
  sent.end(body);
  onTestFinished(() => void sent.destroy());
  return new Promise((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (answer: IncomingMessage) => {
      sent.on('error', () => {});
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', () => {});
      const got: Got = {
        status: answer.statusCode as number,
        headers: answer.headers,
        get text() {
          return text;
        },
        get events() {
          return eventsIn(text.slice(0, text.lastIndexOf('\n\n') + 2));
        },
        get messages() {
          if (answer.headers['content-type'] === 'application/json') return [JSON.parse(text)].flat();
          return got.events.filter(({ data, event }) => data && event === 'message').map(({ data }) => JSON.parse(data as string));
        },
        get lastId() {
          return got.events.findLast(({ id }) => id)?.id;
        },
        ended: new Promise((closed) => answer.once('close', closed)),
        pause(ms) {
          answer.pause();
          setTimeout(() => answer.resume(), ms);
        },
        drop: () => void sent.destroy(),
      };
      resolve(got);
    });
  });
}

/** A client in a session of its own. */
function clientOf(send: (sent: Sent) => Promise<Got>, session: string) {
  const headers = { 'mcp-session-id': session };
  return {
    session,
    post: (body: string, more: Readonly<Record<string, string>> = {}) => send({ headers: { ...headers, ...more }, body }),
    listen: (more: Readonly<Record<string, string>> = {}) =>
      send({ method: 'GET', headers: { ...headers, accept: 'text/event-stream', ...more } }),
    resume(lastEventId: string | undefined) {
      return this.listen({ 'last-event-id': lastEventId ?? 'none' });
    },
    remove: () => send({ method: 'DELETE', headers }),
  };
}

/** Waits until something is so. */
export async function until(what: () => unknown, ms = 5_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
