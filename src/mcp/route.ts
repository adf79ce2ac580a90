import type { BackendView } from '../world.ts';
import { type Call, type Context, isComing, waitFor } from './method.ts';
import { splitName } from './names.ts';
import { ownerOfName, unknownName, unlistedOwner } from './owner.ts';
import { sessionOf } from './unavailable.ts';
import type { Route } from './view.ts';

/**
 * The route of a tool or prompt. A name that is in no list yet may belong to a backend that was never connected: that one
 * is given `callWait` to come. It may also be one that a backend lists to single clients only.
 * @throws OnemcpError `unknown_tool`, `unknown_prompt`; `backend_unavailable` if the only possible owner did not come
 */
export function routeOf(kind: 'tools' | 'prompts', name: string, call: Call, context: Context): Route | Promise<Route> {
  return ownerOfName(kind, name, context.view(context.world())) ?? awaitRoute(kind, name, call, context);
}

async function awaitRoute(kind: 'tools' | 'prompts', name: string, call: Call, context: Context): Promise<Route> {
  const candidates = () => possibleOwners(name, context);
  const route =
    candidates().length > 0 &&
    (await waitFor(context, { ms: context.limits.callWait, signal: call.signal }, (world) => {
      const found = ownerOfName(kind, name, context.view(world));
      return found ?? (candidates().length === 0 ? null : undefined);
    }));
  const [only, ...others] = candidates();
  // While another may still bring the name, a backend that does not list it is not asked for it.
  const owner = route || (only ? undefined : unlistedOwner(name, context.world(), context.naming));
  if (owner) return owner;
  if (!only) throw unknownName(kind, name);
  if (others.length > 0) {
    throw unknownName(kind, name, `; not all servers were seen yet (${[only, ...others].map((view) => view.name).join(', ')})`);
  }
  // Says why it is not there; the waiting is over already.
  await sessionOf(only.name, call, { ...context, limits: { ...context.limits, callWait: 0 } });
  throw unknownName(kind, name);
}

/** Backends that were never connected, may still be, and could own a name. */
function possibleOwners(name: string, { world, naming }: Context): readonly BackendView[] {
  const namespace = naming.prefix === 'always' ? splitName(name)?.namespace : undefined;
  return [...world().backends.values()].filter(
    (view) => view.connects === 0 && isComing(view) && (naming.prefix === 'never' || view.namespace === namespace),
  );
}
