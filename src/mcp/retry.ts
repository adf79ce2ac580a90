import type { BackendSpec } from '../config/config.ts';
import { OnemcpError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { BackendSession } from '../world.ts';

/** How the messages of our own refusals end: the request never left us. */
export const NOTHING_SENT = 'Nothing was sent to it.';

/** A request to a backend that failed. */
export interface Attempt {
  readonly method: string;
  readonly error: unknown;
  /** `retry` of the backend's configuration. */
  readonly retry: BackendSpec['retry'];
  /** `annotations` of the tool, as the backend lists it. */
  readonly annotations: unknown;
  /** Whether the backend asked the client something for it. */
  readonly asked: boolean;
}

/** Requests that change nothing, however often they are made. */
const READS: ReadonlySet<string> = new Set(['resources/read', 'prompts/get', 'completion/complete', 'resources/subscribe']);

/** The connection was lost; the request itself has nothing to do with it. */
const LOST: ReadonlySet<string> = new Set(['backend_exited', 'connection_failed', 'session_lost', 'shutting_down']);
/** The backend was ended, perhaps for what the request did to it. */
const ENDED: ReadonlySet<string> = new Set(['unresponsive', 'memory_exceeded']);

/** Whether a method only reads. */
export const isRead = (method: string): boolean => READS.has(method);

/** Whether a request was certainly not written to its backend. */
export const isUnsent = (error: unknown): boolean =>
  error instanceof OnemcpError && (error.data?.sent === false || error.code === 'busy' || error.code === 'backend_unavailable');

/**
 * Whether a request that failed may be made once more. Only what was certainly not sent, what only reads, and tools that
 * their backend calls idempotent, if its configuration believes it. Never what was not answered in time: it would only be
 * tried twice as long. Never what somebody was asked for: nobody is asked twice.
 */
export function mayRepeat({ method, error, retry, annotations, asked }: Attempt): boolean {
  if (retry === 'never' || asked || !(error instanceof OnemcpError)) return false;
  if (error.data?.sent === false) return LOST.has(error.code) || ENDED.has(error.code);
  if (!LOST.has(error.code)) return false;
  if (method === 'tools/call') return retry === 'idempotent' && isIdempotent(annotations);
  return isRead(method);
}

/** MCP server/tools §Tool annotations: hints, which is why the configuration has to say that they are believed. */
const isIdempotent = (annotations: unknown): boolean =>
  isObject(annotations) && (annotations.idempotentHint === true || annotations.readOnlyHint === true);

/** Whether a session has ended: the World learns it a moment later. */
export function isOver(session: BackendSession): boolean {
  let over = false;
  session.subscribe(({ type }) => {
    if (type === 'closed') over = true;
  })();
  return over;
}
