import { OnemcpError } from '../errors.ts';
import { errorText } from '../mcp/session.ts';
import type { RequestId } from '../world.ts';
import { JSON_HEADERS } from './exchange.ts';

/** An HTTP answer that carries only an error: its status by the table of errors.ts, a JSON-RPC error as the body. */
export function errorAnswer(error: OnemcpError, id: RequestId | null = null): Response {
  const seconds = Math.ceil((error.data?.retryAfterMs ?? 5000) / 1000);
  const retry = error.httpStatus === 503 || error.httpStatus === 429 ? { 'retry-after': String(seconds) } : undefined;
  return new Response(errorText(id, error), { status: error.httpStatus, headers: { ...JSON_HEADERS, ...retry } });
}

/** 405 with the methods that are allowed. */
export function methodNotAllowed(allow: string): Response {
  const answer = errorAnswer(new OnemcpError('method_not_allowed', `only ${allow} are possible here`));
  answer.headers.set('allow', allow);
  return answer;
}
