import type { IncomingMessage, ServerResponse } from 'node:http';
import { Hono } from 'hono';
import { OnemcpError } from '../errors.ts';
import { type BatchAnswers, batchFlaw, isRequest, takeBatch } from '../mcp/batch.ts';
import { parseMessage } from '../mcp/message.ts';
import type { Context, Method } from '../mcp/method.ts';
import { CLIENT_VERSIONS } from '../mcp/methods/initialize.ts';
import { createSession, responseText } from '../mcp/session.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';
import { answerError, errorAnswer, methodNotAllowed } from './answer.ts';
import { answered, type Env } from './env.ts';
import { createExchange, type Exchange, JSON_HEADERS } from './exchange.ts';
import { nodeOutlet, type Outlet } from './outlet.ts';
import { accepts, bodyFlaw, honoPost, nodePost, notAcceptable, type Post, traceOf } from './post.ts';
import type { HttpSession, Sessions } from './sessions.ts';
import type { Streams } from './streams.ts';

export interface McpOptions {
  readonly context: Context;
  readonly methods: ReadonlyMap<string, Method>;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly onBug: (error: unknown) => void;
}

/** `/mcp`: Streamable HTTP, versions 2025-03-26 to 2025-11-25. MCP basic/transports. */
export function mcpRoutes(options: McpOptions): Hono<Env> {
  const { sessions, onBug } = options;
  return new Hono<Env>()
    .post('/', (c) => answered(c, (outlet) => post(honoPost(c, onBug), outlet, options)))
    .get('/', (c) => {
      // Hono also routes HEAD here, which must not open a stream.
      if (c.req.method !== 'GET') return methodNotAllowed(METHODS);
      if (!accepts(c.req.header('accept'), 'text/event-stream')) return errorAnswer(notAcceptable('text/event-stream'));
      const entry = sessionOf((name) => c.req.header(name), sessions);
      if (entry instanceof OnemcpError) return errorAnswer(entry);
      const lastEventId = c.req.header('last-event-id');
      return answered(c, (outlet) => {
        if (!lastEventId) entry.streams().listen(outlet);
        else if (!entry.streams().resume(lastEventId, outlet)) answerError(outlet, unknownEvent(lastEventId));
      });
    })
    .delete('/', (c) => {
      const entry = sessionOf((name) => c.req.header(name), sessions);
      if (entry instanceof OnemcpError) return errorAnswer(entry);
      sessions.remove(entry.id);
      return c.body(null, 204);
    })
    .all('/', () => methodNotAllowed(METHODS));
}

const METHODS = 'GET, POST, DELETE';

/** The same POST for Node's HTTP server: nothing stands between it and the hot path. */
export const postFromNode = (incoming: IncomingMessage, outgoing: ServerResponse, options: McpOptions): void =>
  post(nodePost(incoming), nodeOutlet(outgoing), options);

function post(request: Post, outlet: Outlet, options: McpOptions): void {
  const { limits } = options.context;
  const flaw = headerFlaw(request, limits['http.bodyBytes']);
  if (flaw) return answerError(outlet, flaw);
  request.readBody(limits['http.bodyBytes'], (error, text) => {
    if (error) return answerError(outlet, error);
    const parsed = parseMessage(text, limits['http.jsonDepth']);
    if (parsed.kind === 'one') receive(parsed.message, request, outlet, options);
    else if (parsed.kind === 'batch') receiveBatch(parsed.elements, request, outlet, options);
    else answerError(outlet, parsed.error, parsed.id);
  });
}

function receive(message: JsonRpcMessage, request: Post, outlet: Outlet, options: McpOptions): void {
  const { id, method } = message;
  if (method === 'initialize' && id !== undefined) return initialize(message, id, request, outlet, options);
  const entry = sessionOf(request.header, options.sessions);
  if (entry instanceof OnemcpError) return answerError(outlet, entry, id ?? null);
  const { session } = entry;
  if (method === undefined || id === undefined) {
    if (method === undefined) session.response(message);
    else session.notification(message);
    return outlet.whole(202, {}, null);
  }
  if (method !== 'ping' && isLeaving(options.context)) return answerError(outlet, leaving(), id);
  const limit = options.context.limits['session.maxInFlight'];
  if (session.inFlight >= limit) return answerError(outlet, tooManyInFlight(limit), id);
  const { send, answer } = exchangeFor(entry, request, outlet, options);
  const trace = options.context.tracing === undefined ? undefined : traceOf(request);
  session.request(message, send, trace).then(answer).catch(options.onBug);
}

function receiveBatch(elements: readonly unknown[], request: Post, outlet: Outlet, options: McpOptions): void {
  const entry = sessionOf(request.header, options.sessions);
  if (entry instanceof OnemcpError) return answerError(outlet, entry);
  const flaw = batchFlaw(elements, entry.session, options.context.limits['session.maxInFlight']);
  if (flaw) return answerError(outlet, flaw);
  if (isLeaving(options.context) && elements.some(isRequest)) return answerError(outlet, leaving());
  const begin = (responses: number): BatchAnswers => {
    if (responses > 0) return exchangeFor(entry, request, outlet, options, responses);
    outlet.whole(202, {}, null);
    return { send: () => false, answer: () => {} };
  };
  takeBatch(elements, entry.session, begin, options.onBug);
}

function exchangeFor(entry: HttpSession, request: Post, outlet: Outlet, { streams, context }: McpOptions, batch?: number): Exchange {
  const accept = request.header('accept');
  return createExchange(outlet, {
    streams,
    sessionStreams: entry.streams,
    acceptsStream: accepts(accept, 'text/event-stream'),
    acceptsJson: accepts(accept, 'application/json'),
    upgradeAfter: context.limits['sse.upgradeAfter'],
    batch,
  });
}

function initialize(message: JsonRpcMessage, id: RequestId, request: Post, outlet: Outlet, options: McpOptions): void {
  const { context, methods, sessions, onBug } = options;
  const known = request.header('mcp-session-id');
  const refusal =
    known !== undefined && sessions.get(known)
      ? new OnemcpError('invalid_request', 'this session is initialised already')
      : sessions.refusal(context.world().phase);
  if (refusal) return answerError(outlet, refusal, id);
  const trace = context.tracing && traceOf(request);
  const { id: session, opening } = sessions.add((send) => createSession(message, { context, methods, send, onBug, trace }));
  outlet.whole(200, { ...JSON_HEADERS, 'mcp-session-id': session }, responseText(id, opening));
}

/** What the headers of a POST already show to be wrong. */
function headerFlaw(request: Post, maxBytes: number): OnemcpError | undefined {
  const flaw = bodyFlaw(request, maxBytes);
  if (flaw) return flaw;
  const accept = request.header('accept');
  if (accepts(accept, 'application/json') || accepts(accept, 'text/event-stream')) return undefined;
  return notAcceptable('application/json, text/event-stream');
}

/** 400, because 404 would tell the client that the session is over. */
const unknownEvent = (id: string) =>
  new OnemcpError('invalid_request', `Last-Event-ID "${id.slice(0, 60)}" is unknown in this session, or what came after it was dropped`);

/** What is in flight may finish, and its client may be asked and may answer, but nothing new is begun. */
function isLeaving({ world }: Context): boolean {
  const { phase } = world();
  return phase !== 'running' && phase !== 'booting';
}

/**
 * 404: the client begins a new session at once, which a balancer leads to another gateway. After 503 it would come back here.
 * MCP basic/transports §Session Management.
 */
const leaving = () =>
  new OnemcpError('unknown_session', 'the session is over, because the gateway is shutting down; begin a new one with initialize', {
    reason: 'draining',
    retryable: true,
  });

const tooManyInFlight = (limit: number) =>
  new OnemcpError('busy', `this session has ${limit} requests in flight, which is the limit; wait for one to be answered`, {
    retryable: true,
    retryAfterMs: 1000,
  });

/** The session a request belongs to. 400 without an id, 404 for one that is unknown or over. MCP basic/transports §Session Management. */
function sessionOf(header: Post['header'], sessions: Sessions): HttpSession | OnemcpError {
  const id = header('mcp-session-id');
  if (id === undefined) {
    const versions = CLIENT_VERSIONS.join(', ');
    return new OnemcpError(
      'missing_session',
      `the Mcp-Session-Id header is missing; begin with initialize (protocol versions ${versions})`,
    );
  }
  const entry = sessions.get(id);
  if (!entry) return new OnemcpError('unknown_session', 'the session is unknown or over; begin a new one with initialize');
  const version = header('mcp-protocol-version');
  if (version !== undefined && !CLIENT_VERSIONS.includes(version)) {
    return new OnemcpError(
      'invalid_request',
      `MCP-Protocol-Version "${version.slice(0, 40)}" is not supported here (${CLIENT_VERSIONS.join(', ')})`,
    );
  }
  return entry;
}
