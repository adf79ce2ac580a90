import { OnemcpError } from '../../errors.ts';
import type { BackendView, Json } from '../../world.ts';
import { type Call, type Context, isComing, type Method, waitFor } from '../method.ts';
import { namespaceOf } from '../names.ts';
import { ownerOfName, unknownName } from '../owner.ts';
import { relay } from '../relay.ts';
import { rewriteToolResult } from '../rewrite.ts';
import { failedCall, sessionOf } from '../unavailable.ts';
import type { Route } from '../view.ts';
import { exposerFor } from './exposer.ts';

/** `tools/call`: exposed name → backend → its own name; the result comes back as it is. MCP server/tools. */
export const callTool: Method = {
  name: 'tools/call',
  async handle(call: Call, context: Context): Promise<Json> {
    const { name } = call.params;
    if (typeof name !== 'string') throw new OnemcpError('invalid_params', 'tools/call needs a text "name"');
    let backend = '';
    try {
      const route =
        ownerOfName('tools', name, context.view(context.world())) ??
        (await awaitOwner(name, call, context, (server) => (backend = server)));
      backend = route.backend;
      const session = sessionOf(backend, call, context);
      const usable = session instanceof Promise ? await session : session;
      const result = await relay(usable, call, { name: route.name });
      return rewriteToolResult(result, exposerFor(backend, context));
    } catch (error) {
      if (backend === '') throw error;
      return failedCall(backend, error, context);
    }
  },
};

/**
 * The tool is not in any list yet, but its name may belong to a backend that was never connected: that one is waited for.
 * @throws OnemcpError `unknown_tool`, or `backend_unavailable` if the backend did not come
 */
async function awaitOwner(name: string, call: Call, context: Context, found: (backend: string) => void): Promise<Route> {
  const namespace = namespaceOf(name);
  const owner = (): BackendView | undefined => [...context.world().backends.values()].find((view) => view.namespace === namespace);
  const view = owner();
  if (!view || view.connects > 0 || !isComing(view)) throw unknownName('tools', name);
  const route = await waitFor(context, { ms: context.limits.callWait, signal: call.signal }, (world) =>
    (owner()?.connects ?? 1) > 0 ? (ownerOfName('tools', name, context.view(world)) ?? null) : undefined,
  );
  if (route === undefined) {
    found(view.name);
    await sessionOf(view.name, call, { ...context, limits: { ...context.limits, callWait: 0 } });
  }
  if (!route) throw unknownName('tools', name);
  return route;
}
