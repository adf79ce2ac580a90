import { OnemcpError } from '../errors.ts';
import { errorText } from '../mcp/session.ts';
import type { RequestId } from '../world.ts';
import { JSON_HEADERS } from './exchange.ts';
import { type Outlet, webOutlet } from './outlet.ts';

/** An HTTP answer that carries only an error: its status by the table of errors.ts, a JSON-RPC error as the body. */
export function answerError(outlet: Outlet, error: OnemcpError, id: RequestId | null = null): void {
  const { code, httpStatus, data } = error;
  const retry = { 'retry-after': String(Math.ceil((data?.retryAfterMs ?? 5000) / 1000)) };
  const isLeaving = code === 'draining' || data?.reason === 'draining';
  const headers = {
    ...JSON_HEADERS,
    ...((httpStatus === 503 || httpStatus === 429) && retry),
    // A kept connection would lead the client here again: the next one a balancer may give to somebody else.
    ...(isLeaving && { connection: 'close' }),
  };
  outlet.whole(httpStatus, headers, errorText(id, error));
}

/** The same as a `Response`. */
export function errorAnswer(error: OnemcpError): Response {
  let answer: Response | undefined;
  answerError(
    webOutlet((response) => {
      answer = response;
    }),
    error,
  );
  return answer as Response;
}

/** 405 with the methods that are allowed. */
export function methodNotAllowed(allow: string): Response {
  const answer = errorAnswer(new OnemcpError('method_not_allowed', `only ${allow} are possible here`));
  answer.headers.set('allow', allow);
  return answer;
}
