import type { IncomingMessage, ServerResponse } from 'node:http';
import { Hono } from 'hono';
import { OnemcpError } from '../errors.ts';
import { parseMessage } from '../mcp/message.ts';
import type { Context, Method } from '../mcp/method.ts';
import { CLIENT_VERSIONS } from '../mcp/methods/initialize.ts';
import { createSession, responseText } from '../mcp/session.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';
import { answerError, errorAnswer, methodNotAllowed } from './answer.ts';
import { type BodyDone, readIncoming, readRequest, tooLarge } from './body.ts';
import { answered, type Env } from './env.ts';
import { createExchange, JSON_HEADERS } from './exchange.ts';
import { nodeOutlet, type Outlet } from './outlet.ts';
import type { HttpSession, Sessions } from './sessions.ts';
import type { Streams } from './streams.ts';

export interface McpOptions {
  readonly context: Context;
  readonly methods: ReadonlyMap<string, Method>;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly onBug: (error: unknown) => void;
}

/** What we look at in a POST, whoever carries it. */
interface Post {
  header(name: HeaderName): string | undefined;
  readBody(maxBytes: number, done: BodyDone): void;
}

type HeaderName = 'accept' | 'content-length' | 'content-type' | 'content-encoding' | 'mcp-session-id' | 'mcp-protocol-version';

/** `/mcp`: Streamable HTTP, versions 2025-03-26 to 2025-11-25. MCP basic/transports. */
export function mcpRoutes(options: McpOptions): Hono<Env> {
  const { sessions, streams } = options;
  return new Hono<Env>()
    .post('/', (c) =>
      answered(c, (outlet) => {
        const readBody = (max: number, done: BodyDone) =>
          c.env?.incoming ? readIncoming(c.env.incoming, max, done) : void readRequest(c.req.raw, max, done).catch(options.onBug);
        post({ header: (name) => c.req.header(name), readBody }, outlet, options);
      }),
    )
    .get('/', (c) => {
      if (!accepts(c.req.header('accept'), 'text/event-stream')) return errorAnswer(notAcceptable('text/event-stream'));
      const entry = sessionOf((name) => c.req.header(name), sessions);
      if (entry instanceof OnemcpError) return errorAnswer(entry);
      return answered(c, (outlet) => {
        const stream = streams.open(outlet, () => {
          if (entry.stream === stream) entry.stream = undefined;
        });
        sessions.attach(entry, stream);
      });
    })
    .delete('/', (c) => {
      const entry = sessionOf((name) => c.req.header(name), sessions);
      if (entry instanceof OnemcpError) return errorAnswer(entry);
      sessions.remove(entry.id);
      return c.body(null, 204);
    })
    .all('/', () => methodNotAllowed('GET, POST, DELETE'));
}

/** The same POST for Node's HTTP server: nothing stands between it and the hot path. */
export const postFromNode = (incoming: IncomingMessage, outgoing: ServerResponse, options: McpOptions): void =>
  post(
    {
      header: (name) => incoming.headers[name] as string | undefined,
      readBody: (max, done) => readIncoming(incoming, max, done),
    },
    nodeOutlet(outgoing),
    options,
  );

function post(request: Post, outlet: Outlet, options: McpOptions): void {
  const { limits } = options.context;
  const flaw = headerFlaw(request, limits['http.bodyBytes']);
  if (flaw) return answerError(outlet, flaw);
  request.readBody(limits['http.bodyBytes'], (error, text) => {
    if (error) return answerError(outlet, error);
    const parsed = parseMessage(text, limits['http.jsonDepth']);
    if (!parsed.ok) return answerError(outlet, parsed.error, parsed.id);
    receive(parsed.message, request, outlet, options);
  });
}

function receive(message: JsonRpcMessage, request: Post, outlet: Outlet, options: McpOptions): void {
  const { id, method } = message;
  if (method === 'initialize' && id !== undefined) return initialize(message, id, request, outlet, options);
  const entry = sessionOf(request.header, options.sessions);
  if (entry instanceof OnemcpError) return answerError(outlet, entry, id ?? null);
  if (method === undefined || id === undefined) {
    if (method !== undefined) entry.session.notification(message);
    return outlet.whole(202, {}, null);
  }
  const { streams, context, onBug } = options;
  const limit = context.limits['session.maxInFlight'];
  if (entry.session.inFlight >= limit) return answerError(outlet, tooManyInFlight(limit), id);
  const accept = request.header('accept');
  const exchange = createExchange(outlet, {
    streams,
    acceptsStream: accepts(accept, 'text/event-stream'),
    acceptsJson: accepts(accept, 'application/json'),
    upgradeAfter: context.limits['sse.upgradeAfter'],
  });
  entry.session.request(message, exchange.notify).then(exchange.finish).catch(onBug);
}

function initialize(message: JsonRpcMessage, id: RequestId, request: Post, outlet: Outlet, options: McpOptions): void {
  const { context, methods, sessions, onBug } = options;
  const refuse = (error: OnemcpError) => answerError(outlet, error, id);
  const { phase } = context.world();
  if (phase !== 'running' && phase !== 'booting') {
    return refuse(new OnemcpError('draining', 'the gateway is shutting down and takes no new sessions', { retryable: true }));
  }
  const known = request.header('mcp-session-id');
  if (known !== undefined && sessions.get(known)) return refuse(new OnemcpError('invalid_request', 'this session is initialised already'));
  const limit = context.limits['session.max'];
  if (sessions.size >= limit) {
    sessions.sweep();
    if (sessions.size >= limit)
      return refuse(new OnemcpError('busy', `there are ${limit} sessions, which is the limit`, { retryable: true }));
  }
  const { id: session, opening } = sessions.add((send) => createSession(message, { context, methods, send, onBug }));
  outlet.whole(200, { ...JSON_HEADERS, 'mcp-session-id': session }, responseText(id, opening));
}

/** What the headers of a POST already show to be wrong. */
function headerFlaw({ header }: Post, maxBytes: number): OnemcpError | undefined {
  if (Number(header('content-length') ?? 0) > maxBytes) return tooLarge(maxBytes);
  const type = header('content-type') ?? '';
  if (type !== 'application/json' && !/^application\/json\s*(;|$)/i.test(type)) {
    return new OnemcpError('unsupported_media_type', `content-type must be application/json, not "${type.slice(0, 80)}"`);
  }
  if (header('content-encoding') !== undefined) {
    return new OnemcpError('unsupported_media_type', 'compressed requests are not accepted');
  }
  const accept = header('accept');
  if (!accepts(accept, 'application/json') && !accepts(accept, 'text/event-stream')) {
    return notAcceptable('application/json, text/event-stream');
  }
  return undefined;
}

const notAcceptable = (types: string) => new OnemcpError('not_acceptable', `the accept header must allow ${types}`);

const tooManyInFlight = (limit: number) =>
  new OnemcpError('busy', `this session has ${limit} requests in flight, which is the limit; wait for one to be answered`, {
    retryable: true,
    retryAfterMs: 1000,
  });

/** Whether an `Accept` header allows a media type; one that is missing allows everything. RFC 9110 §12.5.1. */
function accepts(accept: string | undefined, type: 'application/json' | 'text/event-stream'): boolean {
  if (accept === undefined || accept === '') return true;
  return accept.includes(type) || accept.includes('*/*') || accept.includes(type === 'application/json' ? 'application/*' : 'text/*');
}

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
