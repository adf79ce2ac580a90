import type { BackendView, World } from '../world.ts';
import { isWaking } from './enter.ts';
import { type Call, type Context, isComing, waitFor } from './method.ts';
import { splitName } from './names.ts';
import { ownerOfName, unknownName, unlistedOwner } from './owner.ts';
import { drained, unavailable } from './unavailable.ts';
import type { Route } from './view.ts';

/**
 * The route of a tool or prompt. A name that is in no list yet may belong to a backend that was never connected: that one
 * is given `callWait` to come, and woken if it sleeps. It may also be one that a backend lists to single clients only.
 * @throws OnemcpError `unknown_tool`, `unknown_prompt`; `backend_unavailable` if the only possible owner did not come
 */
export function routeOf(kind: 'tools' | 'prompts', name: string, call: Call, context: Context): Route | Promise<Route> {
  return ownerOfName(kind, name, context.view(context.world())) ?? awaitRoute(kind, name, call, context);
}

async function awaitRoute(kind: 'tools' | 'prompts', name: string, call: Call, context: Context): Promise<Route> {
  const candidates = () => possibleOwners(name, context);
  const route = candidates().length > 0 && (await waitForRoute(kind, name, call, context));
  const [only, ...others] = candidates();
  // While another may still bring the name, a backend that does not list it is not asked for it.
  const owner = route || (only ? undefined : unlistedOwner(name, context.world(), context.naming));
  if (owner) return owner;
  if (!only) throw unknownName(kind, name);
  if (others.length > 0) {
    throw unknownName(kind, name, `; not all servers were seen yet (${[only, ...others].map((view) => view.name).join(', ')})`);
  }
  throw only.held ? drained(only, context) : unavailable(only.name, only, { context, waitedMs: 0 });
}

/** The route as soon as there is one; null as soon as nobody can bring it any more. */
async function waitForRoute(
  kind: 'tools' | 'prompts',
  name: string,
  { signal }: Call,
  context: Context,
): Promise<Route | null | undefined> {
  const { limits, lanes, now, view } = context;
  const coming = () => possibleOwners(name, context).filter((candidate) => isComing(candidate, context));
  const settled = (world: World) => ownerOfName(kind, name, view(world)) ?? (coming().length === 0 ? null : undefined);
  for (const { name: backend, asleep, held } of coming()) if (asleep && !held) lanes.wake(backend);
  const found = await waitFor(context, { ms: limits.callWait, signal }, settled);
  // One that was woken is given more time, for its first start.
  const until = Math.max(...coming().map((candidate) => lanes.of(candidate.name).wakingUntil));
  if (found !== undefined || signal.aborted || until <= now()) return found;
  return waitFor(context, { ms: until - now(), signal }, (world) => settled(world) ?? (coming().some(isWaking) ? undefined : null));
}

/** Backends that were never connected and could own a name; those that will not come by themselves can say why. */
function possibleOwners(name: string, context: Context): readonly BackendView[] {
  const { world, naming } = context;
  const namespace = naming.prefix === 'always' ? splitName(name)?.namespace : undefined;
  const mayOwn = (view: BackendView): boolean =>
    naming.prefix === 'always' ? view.namespace === namespace : view.state === 'failed' || isComing(view, context);
  return [...world().backends.values()].filter(
    (view) =>
      view.connects === 0 &&
      view.state !== 'connected' &&
      // What it had in an earlier run is known, and nobody can have heard of more.
      !(view.asleep && view.remembered !== undefined) &&
      mayOwn(view),
  );
}
