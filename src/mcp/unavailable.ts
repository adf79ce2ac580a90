import { OnemcpError, WireError } from '../errors.ts';
import type { BackendSession, BackendView, Json } from '../world.ts';
import { type Call, type Context, errorMeta, isComing, waitFor } from './method.ts';

/** Our `_meta` key of results that say why a backend could not answer. */
export const ERROR_META = 'dev.onemcp/error';

/**
 * The session of a backend; one that is starting or retrying is given `callWait` to come.
 * @throws OnemcpError `backend_unavailable` naming the server, its state and what happens next
 */
export function sessionOf(backend: string, call: Call, context: Context): BackendSession | Promise<BackendSession> {
  return context.world().backends.get(backend)?.session ?? waitForSession(backend, call, context);
}

async function waitForSession(backend: string, { signal }: Call, context: Context): Promise<BackendSession> {
  const began = context.now();
  const view = await waitFor(context, { ms: context.limits.callWait, signal }, (world) => {
    const current = world.backends.get(backend);
    return current && isComing(current) ? undefined : (current ?? null);
  });
  const latest = view ?? context.world().backends.get(backend);
  if (latest?.session) return latest.session;
  throw unavailable(backend, latest, { waitedMs: context.now() - began, epoch: context.epoch() });
}

/** What a client is told of a backend that is not usable. */
function unavailable(name: string, view: BackendView | undefined, { waitedMs, epoch }: { waitedMs: number; epoch: number }): OnemcpError {
  const retryAfterMs = view?.retryAt === undefined ? undefined : Math.max(0, view.retryAt - epoch);
  const state = view ? STATES[view.state] : 'is no longer configured';
  const next =
    retryAfterMs !== undefined
      ? ` The next start is in ${(retryAfterMs / 1000).toFixed(1)} s (attempt ${(view?.failures ?? 0) + 1}).`
      : view && isComing(view)
        ? ' It will be usable as soon as it is connected.'
        : '';
  const waited = waitedMs >= 1000 ? ` The call waited ${Math.round(waitedMs / 1000)} s for it.` : '';
  const cause = view?.lastError ? ` Last error: ${view.lastError.message}.` : '';
  return new OnemcpError('backend_unavailable', `Server "${name}" ${state}.${waited}${cause}${next} Nothing was sent to it.`, {
    server: name,
    reason: 'unavailable',
    state: view?.state,
    retryable: true,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

const STATES: Readonly<Record<BackendView['state'], string>> = {
  idle: 'is waiting to be started',
  starting: 'is still starting',
  connected: 'is connected',
  error: 'has failed and is being cleaned up',
  retrying: 'is down and will be restarted',
  stopping: 'is being stopped',
  stopped: 'is stopped',
};

/** Codes that a backend may answer only if one of us broke the protocol; a client could not make sense of them. */
const HOP_LOCAL = new Set([-32700, -32600, -32601]);

/**
 * A failed `tools/call` as a result, so that the model can read it; an application error of the backend is relayed as
 * the error it is. MCP server/tools §Error Handling.
 * @param owner undefined while it was not known whose call it is: such an error is the call's own
 */
export function failedCall(owner: string | undefined, error: unknown, context: Context): Json {
  const backend = owner ?? missingOwner(error);
  if (backend === undefined) throw error;
  if (error instanceof WireError) {
    if (!HOP_LOCAL.has(error.error.code)) throw error;
    return errorResult(`Server "${backend}" refused the call: ${error.message}`, {
      server: backend,
      reason: 'upstream-error',
      retryable: false,
      upstreamCode: error.error.code,
    });
  }
  if (!(error instanceof OnemcpError) || error.code === 'cancelled') throw error;
  if (error.code === 'backend_unavailable') return errorResult(error.message, errorMeta(backend, error));
  const view = context.world().backends.get(backend);
  return errorResult(`Server "${backend}" failed: ${error.message}. ${aftermath(error, view)}`, errorMeta(backend, error));
}

function aftermath(error: OnemcpError, view: BackendView | undefined): string {
  if (error.code === 'busy') return 'Nothing was sent to it.';
  const restart =
    RESTARTED.has(error.code) && view && view.state !== 'stopping' && view.state !== 'stopped' ? ' It is being restarted.' : '';
  return `The call may have been executed; it was not repeated.${restart}`;
}

/** The backend that did not come, for a name that could only be its. */
const missingOwner = (error: unknown): string | undefined =>
  error instanceof OnemcpError && error.code === 'backend_unavailable' ? error.data?.server : undefined;

/** Errors after which the backend's actor starts it anew. */
const RESTARTED = new Set(['backend_exited', 'connection_failed', 'session_lost']);

function errorResult(text: string, meta: object): Json {
  return { content: [{ type: 'text', text }], isError: true, _meta: { [ERROR_META]: meta } };
}

/** A failed request of another method as a JSON-RPC error. */
export function failedRequest(owner: string | undefined, error: unknown): Error {
  const backend = owner ?? missingOwner(error);
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
  return new WireError({ code: -32603, message: error.message, data: errorMeta(backend, error) });
}
