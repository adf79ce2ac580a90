/** The seam between the protocol and traces. Undefined where nobody traces, so that a request then costs one look. */
import type { JsonRpcMessage } from '../world.ts';
import type { Client } from './client.ts';

/** The W3C trace context that came with an HTTP request, unchecked. https://www.w3.org/TR/trace-context */
export interface TraceHeaders {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

/** Begins the spans of requests. */
export interface Tracing {
  /**
   * A request of a client arrived. What its `_meta` says of a trace wins over `headers`.
   * MCP SEP-414: `traceparent`, `tracestate` in `_meta`.
   */
  request(message: JsonRpcMessage, client: Client, headers: TraceHeaders | undefined): RequestSpan;
}

/** Something that takes time and comes to one end. */
export interface OpenSpan {
  /** It was answered; `isError`: the tool itself says that it failed, or we say so in its place. */
  answered(isError: boolean): void;
  failed(error: unknown): void;
}

/** A request of a client. */
export interface RequestSpan extends OpenSpan {
  /** It is sent to a backend, under its own name there. The `_meta` of the parameters then names the new span as parent. */
  toBackend(backend: string, name: string, request: Sendable): OpenSpan;
  /** What is behind the answer that says that it failed. */
  cause(error: unknown): void;
}

/** A request as a backend gets it. */
export interface Sendable {
  readonly method: string;
  readonly params: Record<string, unknown>;
}
