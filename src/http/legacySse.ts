import { Hono } from 'hono';
import { OnemcpError } from '../errors.ts';
import { createConnection } from '../mcp/connection.ts';
import { parseMessage } from '../mcp/message.ts';
import { answerError, errorAnswer, methodNotAllowed } from './answer.ts';
import { answered, type Env } from './env.ts';
import type { McpOptions } from './mcp.ts';
import type { Outlet } from './outlet.ts';
import { accepts, bodyFlaw, honoPost, notAcceptable, type Post } from './post.ts';
import type { StreamSession } from './sessions.ts';

/**
 * HTTP+SSE, the transport of version 2024-11-05: `GET /sse` is the session, whose first event names where to POST; every
 * answer comes on the stream. MCP 2024-11-05 basic/transports §HTTP with SSE.
 * @param relative names that place beside `/sse` instead of from the root, for clients that see us below a path of a proxy
 */
export function legacySseRoutes(options: McpOptions, relative = false): Hono<Env> {
  const root = relative ? '' : '/';
  const { context, sessions, onBug } = options;
  return (
    new Hono<Env>()
      .get('/sse', (c) => {
        // Hono also routes HEAD here, which must not open a stream.
        if (c.req.method !== 'GET') return methodNotAllowed('GET');
        if (!accepts(c.req.header('accept'), 'text/event-stream')) return errorAnswer(notAcceptable('text/event-stream'));
        const refusal = sessions.refusal(context.world().phase);
        return refusal ? errorAnswer(refusal) : answered(c, (outlet) => open(outlet, root, options));
      })
      // A newer client tries a POST first, and falls back when it is refused.
      .all('/sse', () => methodNotAllowed('GET'))
      .post('/messages', (c) => {
        const id = c.req.query('sessionId');
        if (!id) return errorAnswer(new OnemcpError('missing_session', 'the parameter sessionId is missing; it comes with GET /sse'));
        const session = sessions.getStream(id);
        if (!session)
          return errorAnswer(new OnemcpError('unknown_session', 'the session is unknown or over; begin a new one with GET /sse'));
        return answered(c, (outlet) => post(honoPost(c, onBug), outlet, session, options));
      })
      .all('/messages', () => methodNotAllowed('POST'))
  );
}

function open(outlet: Outlet, root: string, { context, methods, sessions, streams, onBug }: McpOptions): void {
  sessions.addStream((id) => {
    const stream = streams.open(outlet, {
      onEnd() {
        sessions.removeStream(id);
        connection.close();
      },
    });
    const connection = createConnection({ context, methods, onBug }, (text) => {
      stream.send(text);
      return true;
    });
    stream.event('endpoint', `${root}messages?sessionId=${id}`);
    return { connection, end: stream.end };
  });
}

function post(request: Post, outlet: Outlet, { connection }: StreamSession, { context: { limits } }: McpOptions): void {
  const flaw = bodyFlaw(request, limits['http.bodyBytes']);
  if (flaw) return answerError(outlet, flaw);
  request.readBody(limits['http.bodyBytes'], (error, text) => {
    if (error) return answerError(outlet, error);
    const parsed = parseMessage(text, limits['http.jsonDepth']);
    if (parsed.kind === 'bad') return answerError(outlet, parsed.error, parsed.id);
    outlet.whole(202, { 'content-type': 'text/plain' }, 'Accepted');
    connection.take(parsed);
  });
}
