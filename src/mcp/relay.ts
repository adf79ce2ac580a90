import type { BackendSession, Json } from '../world.ts';
import type { Call } from './method.ts';

/** `_meta` keys that belong to one hop: they are minted anew, never copied. MCP basic §_meta. */
const PER_HOP = ['progressToken', 'io.modelcontextprotocol/protocolVersion', 'io.modelcontextprotocol/clientInfo'].concat(
  ['clientCapabilities', 'logLevel', 'subscriptionId', 'serverInfo'].map((key) => `io.modelcontextprotocol/${key}`),
);

/**
 * Sends a request on to a backend as it came, with `changed` fields of its parameters replaced; the progress it reports
 * goes back to its client only. The parameters are parsed text that nobody else holds, so they are changed in place.
 */
export function relay(session: BackendSession, call: Call, changed: Json): Promise<Json> {
  const { params, signal } = call;
  const onProgress = progressOf(call);
  Object.assign(params, changed);
  dropHopMeta(params);
  // Our own token is always sent: progress is what resets the timer.
  return session.request(call.method, params, { signal, onProgress });
}

/** Leaves in `_meta` only what is meant for the far end. */
function dropHopMeta(params: Json): void {
  const meta = params._meta as Json | null | undefined;
  if (meta === undefined) return;
  if (typeof meta === 'object' && meta !== null) for (const key of PER_HOP) delete meta[key];
  else delete params._meta;
}

const IGNORE = () => {};

/**
 * Progress with the client's own token, as long as it increases; nothing when the client gave no token.
 * MCP basic/utilities/progress.
 */
function progressOf({ params, notify }: Call): (progress: Json) => void {
  const token = (params._meta as Json | null | undefined)?.progressToken;
  if (typeof token !== 'string' && typeof token !== 'number') return IGNORE;
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    if (typeof progress.progress !== 'number' || progress.progress <= last) return;
    last = progress.progress;
    notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { ...progress, progressToken: token } });
  };
}
