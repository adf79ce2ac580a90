import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import { downgradeResult, withoutTask } from '../downgrade.ts';
import type { Call, Context, Method } from '../method.ts';
import { originalArguments } from '../owner.ts';
import { relay } from '../relay.ts';
import { rewriteToolResult } from '../rewrite.ts';
import { routeOf } from '../route.ts';
import { failedCall, sessionOf } from '../unavailable.ts';
import type { Route } from '../view.ts';
import { exposerFor } from './exposer.ts';

/** `tools/call`: exposed name → backend → its own name; the result comes back as it is. MCP server/tools. */
export const callTool: Method = {
  name: 'tools/call',
  async handle(call: Call, context: Context): Promise<Json> {
    const { name } = call.params;
    if (typeof name !== 'string') throw new OnemcpError('invalid_params', 'tools/call needs a text "name"');
    let backend: string | undefined;
    try {
      // Awaiting what is there already would cost every call a turn.
      const found = routeOf('tools', name, call, context);
      const route = found instanceof Promise ? await found : found;
      backend = route.backend;
      const session = sessionOf(backend, call, context);
      const usable = session instanceof Promise ? await session : session;
      const result = await relay({ session: usable, backend }, call, context, changesOf(call, route, context));
      return downgradeResult(call.method, rewriteToolResult(result, exposerFor(backend, context)), call.client.protocolVersion);
    } catch (error) {
      return failedCall(backend, error, call, context);
    }
  },
};

/** What the backend knows by other names, and the `task` of clients that hope for one. */
function changesOf({ params }: Call, route: Route, context: Context): Json {
  withoutTask(params);
  if (!route.uriArguments) return { name: route.name };
  const namespace = context.world().backends.get(route.backend)?.namespace ?? route.backend;
  return { name: route.name, arguments: originalArguments(params.arguments, route, namespace) };
}
