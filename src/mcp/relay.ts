import type { BackendSession, Json } from '../world.ts';
import { dropHopMeta } from './hopMeta.ts';
import type { Call, Context } from './method.ts';
import { ClientUpward } from './upward.ts';

/** Where a request goes: a session, and the name of its backend. */
export interface Hop {
  readonly session: BackendSession;
  readonly backend: string;
}

/**
 * Sends a request on to a backend as it came, with `changed` fields of its parameters replaced; what the backend says or
 * asks meanwhile goes to its client only. The parameters are parsed text that nobody else holds, so they are changed in
 * place.
 */
export function relay({ session, backend }: Hop, call: Call, context: Context, changed: Json): Promise<Json> {
  const { params, signal } = call;
  const onProgress = progressOf(call);
  Object.assign(params, changed);
  dropHopMeta(params);
  // Our own token is always sent: progress is what resets the timer.
  return session.request(call.method, params, { signal, onProgress, upward: new ClientUpward(call, backend, context) });
}

const IGNORE = () => {};

/**
 * Progress with the client's own token, as long as it increases; nothing when the client gave no token.
 * MCP basic/utilities/progress.
 */
function progressOf({ params, send }: Call): (progress: Json) => void {
  const token = (params._meta as Json | null | undefined)?.progressToken;
  if (typeof token !== 'string' && typeof token !== 'number') return IGNORE;
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    if (typeof progress.progress !== 'number' || progress.progress <= last) return;
    last = progress.progress;
    send({ jsonrpc: '2.0', method: 'notifications/progress', params: { ...progress, progressToken: token } });
  };
}
