import type { Json } from '../world.ts';
import type { Client } from './client.ts';

/** Whom backends have sent to a URL, so that each `notifications/elicitation/complete` finds its client. MCP client/elicitation. */
export interface Elicitations {
  remember(backend: string, elicitationId: unknown, client: Client): void;
  complete(backend: string, params: Json): void;
  drop(client: Client): void;
}

/** Elicitations that may be out at the same time; the oldest is forgotten first. */
const MAX = 10_000;

export function createElicitations(): Elicitations {
  const owners = new Map<string, Client>();
  const key = (backend: string, id: string) => `${backend} ${id}`;
  return {
    remember(backend, elicitationId, client) {
      if (typeof elicitationId !== 'string') return;
      owners.set(key(backend, elicitationId), client);
      if (owners.size > MAX) owners.delete(owners.keys().next().value as string);
    },
    complete(backend, params) {
      const known = key(backend, String(params.elicitationId));
      const client = owners.get(known);
      if (!client) return;
      owners.delete(known);
      client.send({ jsonrpc: '2.0', method: 'notifications/elicitation/complete', params });
    },
    drop(client) {
      for (const [known, owner] of owners) if (owner === client) owners.delete(known);
    },
  };
}
