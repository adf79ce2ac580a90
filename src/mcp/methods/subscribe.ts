import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import { failedRequest } from '../failure.ts';
import type { Call, Context, Method } from '../method.ts';
import { ownerOfUri } from '../owner.ts';
import { relayed } from '../relayed.ts';
import type { Route } from '../view.ts';
import { uriRoute, withAskedUri } from './resources.ts';

/** `resources/subscribe`: the owner of the URI is told of the first subscriber only. MCP server/resources §Subscriptions. */
export const subscribe = relayed({
  name: 'resources/subscribe',
  route: uriRoute,
  changes: () => ({}),
  async send(session, { backend, name, asked }, call, context) {
    await context.subscriptions.add(call.client, asked, { session, connection: connectionOf(backend, call, context), uri: name });
    return {};
  },
  finish: (result) => result,
  fail(failure, call, context) {
    throw failedRequest(withAskedUri(failure), call, context);
  },
});

/**
 * `resources/unsubscribe`: of something the client is not subscribed to as well. It takes no place and waits for none: it
 * is the gateway that tells the backend, when nobody is left.
 */
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
