import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import { downgradeResult, withoutTask } from '../downgrade.ts';
import { failedCall } from '../failure.ts';
import type { Call, Context } from '../method.ts';
import { originalArguments } from '../owner.ts';
import { relayed } from '../relayed.ts';
import { rewriteToolResult } from '../rewrite.ts';
import { routeOf } from '../route.ts';
import type { Route } from '../view.ts';
import { exposerFor } from './exposer.ts';

/** `tools/call`: exposed name → backend → its own name; the result comes back as it is. MCP server/tools. */
export const callTool = relayed({
  name: 'tools/call',
  route(call: Call, context: Context): Route | Promise<Route> {
    const { name } = call.params;
    if (typeof name !== 'string') throw new OnemcpError('invalid_params', 'tools/call needs a text "name"');
    return routeOf('tools', name, call, context);
  },
  changes: changesOf,
  finish: (result, { backend }, { method, client }, context) =>
    downgradeResult(method, rewriteToolResult(result, exposerFor(backend, context)), client.protocolVersion),
  fail: failedCall,
});

/** What the backend knows by other names, and the `task` of clients that hope for one. */
function changesOf({ params }: Call, route: Route, context: Context): Json {
  withoutTask(params);
  if (!route.uriArguments) return { name: route.name };
  const namespace = context.world().backends.get(route.backend)?.namespace ?? route.backend;
  return { name: route.name, arguments: originalArguments(params.arguments, route, namespace) };
}
