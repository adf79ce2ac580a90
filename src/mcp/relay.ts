import type { Json, RequestOptions } from '../world.ts';
import { dropHopMeta } from './hopMeta.ts';
import type { Call, Context } from './method.ts';
import { ClientUpward } from './upward.ts';

/** What `BackendSession.request` is given for a request of a client. */
export interface RelayOptions extends RequestOptions {
  readonly upward: ClientUpward;
}

/**
 * Makes the parameters of a request what its backend is to see: as they came, with `changed` fields replaced. They are
 * parsed text that nobody else holds, so they are changed in place, once for all attempts. What the backend says or asks
 * meanwhile goes to the client of the request only.
 */
export function prepare(backend: string, call: Call, context: Context, changed: Json): RelayOptions {
  const { params, signal } = call;
  const onProgress = progressOf(call);
  Object.assign(params, changed);
  dropHopMeta(params);
  // Our own token is always sent: progress is what resets the timer.
  return { signal, onProgress, upward: new ClientUpward(call, backend, context) };
}

const IGNORE = () => {};

/**
 * Progress with the client's own token, as long as it increases, over all attempts; nothing when the client gave no token.
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
