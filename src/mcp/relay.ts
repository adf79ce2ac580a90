import type { BackendSession, Json, RequestOptions } from '../world.ts';
import type { Call } from './method.ts';

/** `_meta` keys that belong to one hop: they are minted anew, never copied. MCP basic §_meta. */
const PER_HOP = ['progressToken', 'io.modelcontextprotocol/protocolVersion', 'io.modelcontextprotocol/clientInfo'].concat(
  ['clientCapabilities', 'logLevel', 'subscriptionId', 'serverInfo'].map((key) => `io.modelcontextprotocol/${key}`),
);

/** Sends a request on to a backend as it came, with the progress it reports going back to its client only. */
export function relay(session: BackendSession, call: Call, params: Json): Promise<Json> {
  return session.request(call.method, withoutHopMeta(params), relayOptions(call));
}

/** How long the client will wait, and where progress goes. Our own token is always sent: progress resets the timer. */
function relayOptions(call: Call): RequestOptions {
  return { signal: call.signal, onProgress: progressOf(call) };
}

/** Params with an `_meta` that holds only what is meant for the far end. */
function withoutHopMeta(params: Json): Json {
  const meta = params._meta as Json | null | undefined;
  if (typeof meta !== 'object' || meta === null) return params;
  const { ...kept } = meta;
  for (const key of PER_HOP) delete kept[key];
  const { _meta, ...rest } = params;
  return Object.keys(kept).length > 0 ? { ...rest, _meta: kept } : rest;
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
