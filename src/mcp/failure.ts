/** What a client is told of a request that failed. */
import { OnemcpError, WireError } from '../errors.ts';
import type { BackendView, Json } from '../world.ts';
import { elicits } from './capabilities.ts';
import type { Client } from './client.ts';
import { ERROR_META } from './metaKeys.ts';
import { type Call, type Context, errorMeta } from './method.ts';
import { isRead, NOTHING_SENT } from './retry.ts';

/** A request that was not answered, or with an error. */
export interface Failure {
  readonly error: unknown;
  /** Undefined while it was not known whose request it is: such an error is the request's own. */
  readonly backend: string | undefined;
  /** Whether it was sent, or tried to be sent, a second time. */
  readonly repeated: boolean;
  /** Whether it certainly never reached its backend. */
  readonly unsent: boolean;
}

export { ERROR_META };

/** Codes that a backend may answer only if one of us broke the protocol; a client could not make sense of them. */
const HOP_LOCAL = new Set([-32700, -32600, -32601]);

/**
 * A failed `tools/call` as a result, so that the model can read it; an application error of the backend is relayed as
 * the error it is. MCP server/tools §Error Handling.
 */
export function failedCall(failure: Failure, call: Call, context: Context): Json {
  const { error } = failure;
  const { client } = call;
  const backend = failure.backend ?? missingOwner(error);
  if (backend === undefined) throw error;
  if (error instanceof WireError) {
    if (error.error.code === URL_ELICITATION_REQUIRED) return urlElicitation(backend, error, client, context);
    if (!HOP_LOCAL.has(error.error.code)) throw error;
    logFailure(call, error, context, backend);
    return errorResult(`Server "${backend}" refused the call: ${error.message}`, {
      server: backend,
      reason: 'upstream-error',
      retryable: false,
      upstreamCode: error.error.code,
    });
  }
  if (!(error instanceof OnemcpError) || error.code === 'cancelled') throw error;
  logFailure(call, error, context, backend);
  if (isRefusal(error)) return errorResult(error.message, errorMeta(backend, error));
  const view = context.world().backends.get(backend);
  return errorResult(`Server "${backend}" failed: ${error.message}. ${aftermath(failure, error, view)}`, errorMeta(backend, error));
}

/** Characters of what a client names that a log shows. */
const MOST_SHOWN = 64;

/** Says which request of which client was answered with an error; without its message, which may quote what was asked for. */
export function logFailure({ client, id, method }: Call, error: OnemcpError | WireError, { log }: Context, server?: string): void {
  const code = error instanceof WireError ? error.error.code : error.code;
  const backend = server ?? (error instanceof OnemcpError ? error.data?.server : undefined);
  const [request, shown] = [String(id), method].map((text) => text.slice(0, MOST_SHOWN));
  log('debug', 'request.failed', { session: client.id, request, method: shown, code, backend });
}

/** Our own refusals say themselves that nothing was sent. */
const isRefusal = ({ message }: OnemcpError): boolean => message.endsWith(NOTHING_SENT);

/** MCP client/elicitation §URL Elicitation Required Error. */
const URL_ELICITATION_REQUIRED = -32042;

/** The user has to open pages first: a client that can show them gets the error, others are told why nothing happened. */
function urlElicitation(backend: string, error: WireError, client: Client, { elicitations }: Context): Json {
  if (client.protocolVersion >= '2025-11-25' && elicits(client.capabilities, 'url')) {
    const asked = (error.error.data as Json | null | undefined)?.elicitations;
    if (Array.isArray(asked)) for (const each of asked) elicitations.remember(backend, (each as Json | null)?.elicitationId, client);
    throw error;
  }
  return errorResult(`Server "${backend}" needs its user to open a web page first, which this client cannot show: ${error.message}`, {
    server: backend,
    reason: 'url-elicitation-required',
    retryable: false,
  });
}

function aftermath({ repeated, unsent }: Failure, { code }: OnemcpError, view: BackendView | undefined): string {
  const restart = RESTARTED.has(code) && view && view.state !== 'stopping' && view.state !== 'stopped' ? ' It is being restarted.' : '';
  if (unsent) return `Nothing was sent to it${repeated ? '; it was tried twice' : ''}.${restart}`;
  return `The call may have been executed; it was ${repeated ? 'repeated once' : 'not repeated'}.${restart}`;
}

/** The backend that did not come, for a name that could only be its. */
const missingOwner = (error: unknown): string | undefined =>
  error instanceof OnemcpError && isRefusal(error) ? error.data?.server : undefined;

/** Errors after which the backend's actor starts it anew. */
const RESTARTED = new Set(['backend_exited', 'connection_failed', 'session_lost']);

function errorResult(text: string, meta: object): Json {
  return { content: [{ type: 'text', text }], isError: true, _meta: { [ERROR_META]: meta } };
}

/** A failed request of another method as a JSON-RPC error; what may have done something says so. */
export function failedRequest(failure: Failure, { method }: Call, context: Context): Error {
  const { error } = failure;
  const backend = failure.backend ?? missingOwner(error);
  if (backend === undefined) return error as Error;
  if (error instanceof WireError) {
    if (!HOP_LOCAL.has(error.error.code)) return error;
    return new WireError({
      code: -32603,
      message: `Server "${backend}" refused the request: ${error.message}`,
      data: { server: backend, reason: 'upstream-error', retryable: false, upstreamCode: error.error.code },
    });
  }
  if (!(error instanceof OnemcpError) || error.code === 'cancelled') return error as Error;
  const whole = isRead(method) || isRefusal(error);
  const message = whole ? error.message : `${error.message}. ${aftermath(failure, error, context.world().backends.get(backend))}`;
  return new WireError({ code: -32603, message, data: errorMeta(backend, error) });
}
