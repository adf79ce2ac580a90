/** W3C Trace Context as texts: https://www.w3.org/TR/trace-context-2 */
import type { SpanContext } from '@opentelemetry/api';

type Ids = Pick<SpanContext, 'traceId' | 'spanId' | 'traceFlags'>;

/** `version-trace-parent-flags`; later versions may have more behind it. §3.2 */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const SAMPLED = 1;
/** Longer ones may be dropped. §3.3.1.5 */
const LONGEST_STATE = 512;

/** What a `traceparent` says; undefined if it is none, so that a new trace begins. */
export function parseTraceparent(text: unknown): Ids | undefined {
  const match = typeof text === 'string' && text.length <= LONGEST_STATE ? TRACEPARENT.exec(text) : null;
  if (!match) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as [string, string, string, string, string, string?];
  if (version === 'ff' || (version === '00' && more !== undefined) || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & SAMPLED };
}

/** The `traceparent` that names a span as parent. */
export const formatTraceparent = ({ traceId, spanId, traceFlags }: Ids): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;

/** A `tracestate` that may be handed on. */
export const usableState = (text: unknown): string | undefined =>
  typeof text === 'string' && text !== '' && text.length <= LONGEST_STATE ? text : undefined;
