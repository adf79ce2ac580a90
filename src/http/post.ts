import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { OnemcpError } from '../errors.ts';
import type { TraceHeaders } from '../mcp/tracing.ts';
import { type BodyDone, readIncoming, readRequest, tooLarge } from './body.ts';
import type { Env } from './env.ts';

/** What we look at in a POST, whoever carries it. */
export interface Post {
  header(name: HeaderName): string | undefined;
  readBody(maxBytes: number, done: BodyDone): void;
}

type HeaderName =
  | 'accept'
  | 'content-length'
  | 'content-type'
  | 'content-encoding'
  | 'mcp-session-id'
  | 'mcp-protocol-version'
  | 'traceparent'
  | 'tracestate';

/** A POST as Node's HTTP server hands it over. */
export const nodePost = (incoming: IncomingMessage): Post => ({
  header: (name) => incoming.headers[name] as string | undefined,
  readBody: (max, done) => readIncoming(incoming, max, done),
});

/** A POST as Hono routes it. */
export const honoPost = (c: Context<Env>, onBug: (error: unknown) => void): Post => ({
  header: (name) => c.req.header(name),
  readBody: (max, done) =>
    c.env?.incoming ? readIncoming(c.env.incoming, max, done) : void readRequest(c.req.raw, max, done).catch(onBug),
});

/** The trace that a POST belongs to. https://www.w3.org/TR/trace-context */
export function traceOf({ header }: Post): TraceHeaders | undefined {
  const traceparent = header('traceparent');
  return traceparent === undefined ? undefined : { traceparent, tracestate: header('tracestate') };
}

/** What the headers already show to be wrong with a body. */
export function bodyFlaw({ header }: Post, maxBytes: number): OnemcpError | undefined {
  if (Number(header('content-length') ?? 0) > maxBytes) return tooLarge(maxBytes);
  const type = header('content-type') ?? '';
  if (type !== 'application/json' && !/^application\/json\s*(;|$)/i.test(type)) {
    return new OnemcpError('unsupported_media_type', `content-type must be application/json, not "${type.slice(0, 80)}"`);
  }
  if (header('content-encoding') !== undefined) {
    return new OnemcpError('unsupported_media_type', 'compressed requests are not accepted');
  }
  return undefined;
}

/** Whether an `Accept` header allows a media type; one that is missing allows everything. RFC 9110 §12.5.1. */
export function accepts(accept: string | undefined, type: 'application/json' | 'text/event-stream'): boolean {
  if (accept === undefined || accept === '') return true;
  return accept.includes(type) || accept.includes('*/*') || accept.includes(type === 'application/json' ? 'application/*' : 'text/*');
}

export const notAcceptable = (types: string) => new OnemcpError('not_acceptable', `the accept header must allow ${types}`);
