import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import type { Call, Context, Method } from '../method.ts';
import { ownerOfUri } from '../owner.ts';
import { failedRequest, sessionOf } from '../unavailable.ts';
import type { Route } from '../view.ts';
import { withAskedUri } from './resources.ts';

/** `resources/subscribe`: the owner of the URI is told of the first subscriber only. MCP server/resources §Subscriptions. */
export const subscribe: Method = {
  name: 'resources/subscribe',
  async handle(call: Call, context: Context): Promise<Json> {
    const uri = uriOf(call);
    const { backend, name: original } = ownerOfUri(uri, context);
    try {
      const session = await sessionOf(backend, call, context);
      await context.subscriptions.add(call.client, uri, { session, connection: connectionOf(backend, call, context), uri: original });
      return {};
    } catch (error) {
      throw failedRequest(backend, withAskedUri(error, uri, original));
    }
  },
};

/** `resources/unsubscribe`: of something the client is not subscribed to as well. */
export const unsubscribe: Method = {
  name: 'resources/unsubscribe',
  async handle(call: Call, context: Context): Promise<Json> {
    const owner = ownerOrNobody(uriOf(call), context);
    if (owner) await context.subscriptions.remove(call.client, connectionOf(owner.backend, call, context), owner.name);
    return {};
  },
};

function ownerOrNobody(uri: string, context: Context): Route | undefined {
  try {
    return ownerOfUri(uri, context);
  } catch {
    return undefined;
  }
}

function uriOf({ method, params: { uri } }: Call): string {
  if (typeof uri === 'string') return uri;
  throw new OnemcpError('invalid_params', `${method} needs a text "uri"`);
}

function connectionOf(backend: string, { client }: Call, { world, connections }: Context): string {
  const view = world().backends.get(backend);
  return (view && connections.instanceOf(view, client)?.id) ?? backend;
}
