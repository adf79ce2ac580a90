import type { Method } from '../method.ts';

/** `ping`: answered by the gateway itself, whatever the backends do. MCP basic/utilities/ping. */
export const ping: Method = { name: 'ping', handle: async () => ({}) };
