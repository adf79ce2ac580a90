import { Hono, type Context as HonoContext } from 'hono';
import { OnemcpError } from '../errors.ts';
import { parseMessage } from '../mcp/message.ts';
import type { Context, Method } from '../mcp/method.ts';
import { CLIENT_VERSIONS } from '../mcp/methods/initialize.ts';
import { createSession, responseText } from '../mcp/session.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';
import { errorAnswer, methodNotAllowed } from './answer.ts';
import { type Env, readBody } from './body.ts';
import { createExchange, JSON_HEADERS } from './exchange.ts';
import type { HttpSession, Sessions } from './sessions.ts';
import type { Streams } from './streams.ts';

export interface McpOptions {
  readonly context: Context;
  readonly methods: ReadonlyMap<string, Method>;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly onBug: (error: unknown) => void;
}

type C = HonoContext<Env>;

/** `/mcp`: Streamable HTTP, versions 2025-03-26 to 2025-11-25. MCP basic/transports. */
export function mcpRoutes(options: McpOptions): Hono<Env> {
  const { sessions, streams } = options;
  return new Hono<Env>()
    .post('/', (c) => post(c, options).catch((error) => refused(error, options)))
    .get('/', (c) => {
      if (!accepts(c, 'text/event-stream')) return errorAnswer(notAcceptable('text/event-stream'));
      const entry = sessionOf(c, sessions);
      if (entry instanceof OnemcpError) return errorAnswer(entry);
      const stream = streams.open({
        drop: dropper(c),
        onEnd: () => {
          if (entry.stream === stream) entry.stream = undefined;
        },
      });
      sessions.attach(entry, stream);
      return stream.response;
    })
    .delete('/', (c) => {
      const entry = sessionOf(c, sessions);
      if (entry instanceof OnemcpError) return errorAnswer(entry);
      sessions.remove(entry.id);
      return c.body(null, 204);
    })
    .all('/', () => methodNotAllowed('GET, POST, DELETE'));
}

async function post(c: C, options: McpOptions): Promise<Response> {
  const { limits } = options.context;
  const flaw = headerFlaw(c);
  if (flaw) return errorAnswer(flaw);
  const parsed = parseMessage(await readBody(c, limits['http.bodyBytes']), limits['http.jsonDepth']);
  if (!parsed.ok) return errorAnswer(parsed.error, parsed.id);
  const { message } = parsed;
  const { id, method } = message;
  if (method === 'initialize' && id !== undefined) return initialize(c, message, id, options);

  const entry = sessionOf(c, options.sessions);
  if (entry instanceof OnemcpError) return errorAnswer(entry, id ?? null);
  if (method === undefined) return new Response(null, { status: 202 });
  if (id === undefined) {
    entry.session.notification(message);
    return new Response(null, { status: 202 });
  }
  const limit = limits['session.maxInFlight'];
  if (entry.session.inFlight >= limit) return errorAnswer(tooManyInFlight(limit), id);
  return request(c, message, entry, options);
}

function request(
  c: C,
  message: JsonRpcMessage,
  { session }: HttpSession,
  { streams, context, onBug }: McpOptions,
): Promise<Response> | Response {
  const exchange = createExchange({
    streams,
    acceptsStream: accepts(c, 'text/event-stream'),
    acceptsJson: accepts(c, 'application/json'),
    upgradeAfter: context.limits['sse.upgradeAfter'],
    drop: dropper(c),
  });
  session.request(message, exchange.notify).then(exchange.finish, onBug);
  return exchange.response;
}

function initialize(c: C, message: JsonRpcMessage, id: RequestId, { context, methods, sessions, onBug }: McpOptions): Response {
  const { phase } = context.world();
  if (phase !== 'running' && phase !== 'booting') {
    return errorAnswer(new OnemcpError('draining', 'the gateway is shutting down and takes no new sessions', { retryable: true }), id);
  }
  const known = c.req.header('mcp-session-id');
  if (known !== undefined && sessions.get(known)) {
    return errorAnswer(new OnemcpError('invalid_request', 'this session is initialised already'), id);
  }
  const limit = context.limits['session.max'];
  if (sessions.size >= limit) {
    sessions.sweep();
    if (sessions.size >= limit) return errorAnswer(new OnemcpError('busy', `there are ${limit} sessions, which is the limit`), id);
  }
  const entry = sessions.add((send) => createSession(message, { context, methods, send, onBug }));
  return new Response(responseText(id, entry.session.initializeResult), { headers: { ...JSON_HEADERS, 'mcp-session-id': entry.id } });
}

/** What the headers of a POST already show to be wrong. */
function headerFlaw(c: C): OnemcpError | undefined {
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    return new OnemcpError('unsupported_media_type', `content-type must be application/json, not "${type.slice(0, 80)}"`);
  }
  if (c.req.header('content-encoding') !== undefined) {
    return new OnemcpError('unsupported_media_type', 'compressed requests are not accepted');
  }
  if (!accepts(c, 'application/json') && !accepts(c, 'text/event-stream')) return notAcceptable('application/json, text/event-stream');
  return undefined;
}

const notAcceptable = (types: string) => new OnemcpError('not_acceptable', `the accept header must allow ${types}`);

const tooManyInFlight = (limit: number) =>
  new OnemcpError('busy', `this session has ${limit} requests in flight, which is the limit; wait for one to be answered`, {
    retryable: true,
    retryAfterMs: 1000,
  });

/** Whether an `Accept` header allows a media type; one that is missing allows everything. RFC 9110 §12.5.1. */
function accepts(c: C, type: string): boolean {
  const accept = c.req.header('accept');
  if (accept === undefined || accept === '') return true;
  return accept.includes(type) || accept.includes('*/*') || accept.includes(`${type.slice(0, type.indexOf('/'))}/*`);
}

/** The session a request belongs to. 400 without an id, 404 for one that is unknown or over. MCP basic/transports §Session Management. */
function sessionOf(c: C, sessions: Sessions): HttpSession | OnemcpError {
  const id = c.req.header('mcp-session-id');
  if (id === undefined) {
    const versions = CLIENT_VERSIONS.join(', ');
    return new OnemcpError(
      'missing_session',
      `the Mcp-Session-Id header is missing; begin with initialize (protocol versions ${versions})`,
    );
  }
  const entry = sessions.get(id);
  if (!entry) return new OnemcpError('unknown_session', 'the session is unknown or over; begin a new one with initialize');
  const version = c.req.header('mcp-protocol-version');
  if (version !== undefined && !CLIENT_VERSIONS.includes(version)) {
    return new OnemcpError(
      'invalid_request',
      `MCP-Protocol-Version "${version.slice(0, 40)}" is not supported here (${CLIENT_VERSIONS.join(', ')})`,
    );
  }
  return entry;
}

function refused(error: unknown, { onBug }: McpOptions): Response {
  if (error instanceof OnemcpError) return errorAnswer(error);
  onBug(error);
  return errorAnswer(new OnemcpError('internal', 'Internal error of onemcp; see its log'));
}

const dropper = (c: C) => () => void c.env?.outgoing?.destroy();
