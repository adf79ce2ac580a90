import type { Json } from '../world.ts';

/** `_meta` keys that belong to one hop: they are minted anew, never copied. MCP basic §_meta. */
const PER_HOP = ['progressToken', 'io.modelcontextprotocol/protocolVersion', 'io.modelcontextprotocol/clientInfo'].concat(
  ['clientCapabilities', 'logLevel', 'subscriptionId', 'serverInfo'].map((key) => `io.modelcontextprotocol/${key}`),
);

/** Leaves in `_meta` only what is meant for the far end. */
export function dropHopMeta(params: Json): void {
  const meta = params._meta as Json | null | undefined;
  if (meta === undefined) return;
  if (typeof meta === 'object' && meta !== null) for (const key of PER_HOP) delete meta[key];
  else delete params._meta;
}
