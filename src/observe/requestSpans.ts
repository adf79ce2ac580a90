/** Spans of requests: one for each request of a client, and below it one for each time it is sent to a backend. */
import { createHash } from 'node:crypto';
import { type Context, createTraceState, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { Client } from '../mcp/client.ts';
import type { OpenSpan, RequestSpan, Sendable, TraceHeaders, Tracing } from '../mcp/tracing.ts';
import type { Json, JsonRpcMessage } from '../world.ts';
import { endFailed, endToolError, requestFacts, SERVER, spanName } from './spanFacts.ts';
import { formatTraceparent, parseTraceparent, usableState } from './traceContext.ts';

/** @param run a text that no other run has */
export function createRequestTracing(tracer: Tracer, run: string): Tracing {
  const sessions = new WeakMap<Client, string>();
  /** Names a conversation for those who read traces; the id of the session itself is a secret. */
  const sessionOf = (client: Client): string => {
    let id = sessions.get(client);
    if (id === undefined) {
      id = createHash('sha256').update(`${run}/${client.id}`).digest('hex').slice(0, 16);
      sessions.set(client, id);
    }
    return id;
  };
  return {
    request(message, client, headers) {
      const request = { method: message.method as string, params: message.params ?? {} };
      const attributes = requestFacts(request);
      attributes['mcp.session.id'] = sessionOf(client);
      attributes['mcp.protocol.version'] = client.protocolVersion;
      if (message.id !== undefined) attributes['jsonrpc.request.id'] = String(message.id).slice(0, 64);
      const origin = originOf(message, headers);
      const span = tracer.startSpan(spanName(request), { kind: SpanKind.SERVER, attributes }, origin.parent);
      return new Request(tracer, span, origin);
    },
  };
}

/** Where a request comes from. */
interface Origin {
  /** The context of the sender's span; the root for a new trace. */
  readonly parent: Context;
  /** Belongs to that context, as it came. */
  readonly tracestate: string | undefined;
}

const NOWHERE: Origin = { parent: ROOT_CONTEXT, tracestate: undefined };

function originOf({ params }: JsonRpcMessage, headers: TraceHeaders | undefined): Origin {
  const meta = params?._meta as Json | null | undefined;
  const source = typeof meta?.traceparent === 'string' ? meta : headers;
  const ids = source && parseTraceparent(source.traceparent);
  if (!ids) return NOWHERE;
  const tracestate = usableState(source.tracestate);
  const remote = { ...ids, isRemote: true, ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }) };
  return { parent: trace.setSpanContext(ROOT_CONTEXT, remote), tracestate };
}

class Request implements RequestSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #origin: Origin;
  #cause: unknown;

  constructor(tracer: Tracer, span: Span, origin: Origin) {
    this.#tracer = tracer;
    this.#span = span;
    this.#origin = origin;
  }

  toBackend(backend: string, name: string, { method, params }: Sendable): OpenSpan {
    this.#span.setAttribute(SERVER, backend);
    const there = { method, params: { name, uri: name } };
    const attributes = requestFacts(there);
    attributes[SERVER] = backend;
    const context = trace.setSpan(this.#origin.parent, this.#span);
    const span = this.#tracer.startSpan(spanName(there), { kind: SpanKind.CLIENT, attributes }, context);
    handOn(params, span, this.#origin.tracestate);
    return new Sent(span);
  }

  cause(error: unknown): void {
    this.#cause = error;
  }

  answered(isError: boolean): void {
    if (!isError) this.#span.end();
    else if (this.#cause === undefined) endToolError(this.#span);
    else endFailed(this.#span, this.#cause);
  }

  failed(error: unknown): void {
    endFailed(this.#span, this.#cause ?? error);
  }
}

class Sent implements OpenSpan {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  answered(isError: boolean): void {
    if (isError) endToolError(this.#span);
    else this.#span.end();
  }

  failed(error: unknown): void {
    endFailed(this.#span, error);
  }
}

/** Makes a span the parent of what the backend does. The state of a trace that is not continued means nothing. SEP-414. */
function handOn(params: Json, span: Span, tracestate: string | undefined): void {
  const meta = (params._meta ?? {}) as Json;
  meta.traceparent = formatTraceparent(span.spanContext());
  if (tracestate !== undefined) meta.tracestate = tracestate;
  else delete meta.tracestate;
  params._meta = meta;
}
