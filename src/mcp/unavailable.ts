import { OnemcpError, WireError } from '../errors.ts';
import type { BackendSession, BackendView, Json, World } from '../world.ts';
import { elicits } from './capabilities.ts';
import type { Client } from './client.ts';
import { type Call, type Context, errorMeta, isComing, waitFor } from './method.ts';

/** Our `_meta` key of results that say why a backend could not answer. */
export const ERROR_META = 'dev.onemcp/error';

/**
 * The session with a backend that the client of a call uses; one that is starting or retrying is given `callWait` to come.
 * @throws OnemcpError `backend_unavailable` naming the server, its state and what happens next; `busy` when the client
 * would need one connection too many
 */
export function sessionOf(backend: string, call: Call, context: Context): BackendSession | Promise<BackendSession> {
  const view = context.world().backends.get(backend);
  const instance = view && context.connections.instanceOf(view, call.client);
  if (instance) context.connections.use(instance);
  const session = instance ? context.world().instances.get(instance.id)?.session : view?.session;
  return session ? ready(session, context) : waitForSession(backend, instance?.id, call, context);
}

/** A call must not overtake what its client has just set. */
function ready(session: BackendSession, { levels }: Context): BackendSession | Promise<BackendSession> {
  const applying = levels.applying.size === 0 ? undefined : levels.applying.get(session);
  return applying ? applying.then(() => session) : session;
}

async function waitForSession(backend: string, instance: string | undefined, { signal }: Call, context: Context): Promise<BackendSession> {
  const began = context.now();
  const viewIn = ({ backends, instances }: World) => (instance === undefined ? backends.get(backend) : instances.get(instance));
  const view = await waitFor(context, { ms: context.limits.callWait, signal }, (world) => {
    const current = viewIn(world);
    if (current) return isComing(current) ? undefined : current;
    // An instance that was just asked for may not show yet.
    return instance !== undefined && world.phase === 'running' && world.backends.has(backend) ? undefined : null;
  });
  const latest = view ?? viewIn(context.world());
  if (latest?.session) return ready(latest.session, context);
  throw unavailable(backend, latest, {
    waitedMs: context.now() - began,
    epoch: context.epoch(),
    configured: context.world().backends.has(backend),
  });
}

/** What a client is told of a backend that is not usable. */
function unavailable(
  name: string,
  view: BackendView | undefined,
  { waitedMs, epoch, configured }: { waitedMs: number; epoch: number; configured: boolean },
): OnemcpError {
  const retryAfterMs = view?.retryAt === undefined ? undefined : Math.max(0, view.retryAt - epoch);
  const state = view ? STATES[view.state] : configured ? 'has no connection for this client yet' : 'is no longer configured';
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
  failed: 'has failed too often',
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
export function failedCall(owner: string | undefined, error: unknown, { client }: Call, context: Context): Json {
  const backend = owner ?? missingOwner(error);
  if (backend === undefined) throw error;
  if (error instanceof WireError) {
    if (error.error.code === URL_ELICITATION_REQUIRED) return urlElicitation(backend, error, client, context);
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
