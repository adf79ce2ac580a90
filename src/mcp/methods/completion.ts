import { OnemcpError, WireError } from '../../errors.ts';
import type { BackendSession, Json } from '../../world.ts';
import type { Call, Context, Method } from '../method.ts';
import { ownerOfName, ownerOfUri, unknownName } from '../owner.ts';
import { relay } from '../relay.ts';
import { failedRequest } from '../unavailable.ts';
import type { Route } from '../view.ts';

const NO_VALUES = { completion: { values: [], total: 0, hasMore: false } };
/** MCP server/utilities/completion: at most 100 values. */
const MAX_VALUES = 100;

/** `completion/complete`: asks the owner of `ref`; an owner that cannot complete gives no values. */
export const complete: Method = {
  name: 'completion/complete',
  async handle(call: Call, context: Context): Promise<Json> {
    const ref = call.params.ref as Json | null | undefined;
    const [route, originalRef] = ownerOfRef(ref, context);
    // A suggestion is not worth a wait, nor a connection of one's own.
    const session = sessionNow(route.backend, call, context);
    if (!session || !completes(session)) return NO_VALUES;
    try {
      return atMost(await relay({ session, backend: route.backend }, call, context, { ref: originalRef }));
    } catch (error) {
      if (error instanceof WireError && error.error.code === -32601) return NO_VALUES;
      if (error instanceof OnemcpError && error.code === 'timeout') return NO_VALUES;
      throw failedRequest(route.backend, error);
    }
  },
};

function sessionNow(backend: string, { client }: Call, { world, connections }: Context): BackendSession | undefined {
  const { backends, instances } = world();
  const view = backends.get(backend);
  const instance = view && connections.instanceOf(view, client);
  return (instance && instances.get(instance.id)?.session) ?? view?.session;
}

function ownerOfRef(ref: Json | null | undefined, context: Context): readonly [Route, Json] {
  const view = context.view(context.world());
  if (ref?.type === 'ref/prompt' && typeof ref.name === 'string') {
    const route = ownerOfName('prompts', ref.name, view);
    if (!route) throw unknownName('prompts', ref.name);
    return [route, { ...ref, name: route.name }];
  }
  if (ref?.type === 'ref/resource' && typeof ref.uri === 'string') {
    // A template is compared as a text: it never matches itself as a URI.
    const route = view.templates.routes.get(ref.uri) ?? resourceOwner(ref.uri, context);
    return [route, { ...ref, uri: route.name }];
  }
  throw new OnemcpError(
    'invalid_params',
    'completion/complete needs a "ref" of type "ref/prompt" with a name, or "ref/resource" with a uri',
  );
}

function resourceOwner(uri: string, context: Context): Route {
  try {
    return ownerOfUri(uri, context);
  } catch {
    throw new OnemcpError('invalid_params', `Unknown resource or template: ${uri.slice(0, 200)}`, { uri });
  }
}

/** The capability came with 2025-03-26; an older server is simply asked. */
const completes = ({ info }: BackendSession): boolean =>
  info.capabilities.completions !== undefined || info.protocolVersion === '2024-11-05';

function atMost(result: Json): Json {
  const completion = result.completion as Json | null | undefined;
  const values = completion?.values;
  if (!Array.isArray(values) || values.length <= MAX_VALUES) return result;
  return { ...result, completion: { ...completion, values: values.slice(0, MAX_VALUES), hasMore: true } };
}
