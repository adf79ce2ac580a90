import { OnemcpError, WireError } from '../../errors.ts';
import type { BackendSession, Json } from '../../world.ts';
import { failedRequest } from '../failure.ts';
import type { Call, Context } from '../method.ts';
import { ownerOfName, ownerOfUri, unknownName } from '../owner.ts';
import { relayed } from '../relayed.ts';
import type { Route } from '../view.ts';

const NO_VALUES = { completion: { values: [], total: 0, hasMore: false } };
/** MCP server/utilities/completion: at most 100 values. */
const MAX_VALUES = 100;

/** The owner of a `ref`, and the `ref` as it knows it. */
interface RefRoute extends Route {
  readonly ref: Json;
}

/** `completion/complete`: asks the owner of `ref`; an owner that cannot complete now gives no values. */
export const complete = relayed({
  name: 'completion/complete',
  route: ({ params }: Call, context: Context): RefRoute => {
    const [route, ref] = ownerOfRef(params.ref as Json | null | undefined, context);
    return { ...route, ref };
  },
  changes: (_, { ref }) => ({ ref }),
  enter: enterNow,
  finish: atMost,
  fail(failure, call, context) {
    const { error } = failure;
    if (error instanceof WireError && error.error.code === -32601) return NO_VALUES;
    if (error === NOT_NOW || (error instanceof OnemcpError && error.code === 'timeout')) return NO_VALUES;
    throw failedRequest(failure, call, context);
  },
});

const NOT_NOW = new OnemcpError('busy', 'no completion now', { sent: false });

/** A suggestion is not worth a wait, nor a connection of one's own. */
function enterNow(backend: string, { client }: Call, { world, connections, lanes }: Context): BackendSession {
  const { backends, instances } = world();
  const view = backends.get(backend);
  const instance = view && connections.instanceOf(view, client);
  const session = (instance && instances.get(instance.id)?.session) ?? view?.session;
  if (!view || view.held || !session || !completes(session)) throw NOT_NOW;
  if (!lanes.of(backend).tryEnter(view.maxConcurrency)) throw NOT_NOW;
  return session;
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
