import { OnemcpError } from '../../errors.ts';
import { downgradeResult } from '../downgrade.ts';
import { failedRequest } from '../failure.ts';
import type { Call, Context } from '../method.ts';
import { relayed } from '../relayed.ts';
import { rewritePromptResult } from '../rewrite.ts';
import { routeOf } from '../route.ts';
import type { Route } from '../view.ts';
import { exposerFor } from './exposer.ts';

/** `prompts/get`: as a tool call, but failures are JSON-RPC errors. MCP server/prompts. */
export const getPrompt = relayed({
  name: 'prompts/get',
  route(call: Call, context: Context): Route | Promise<Route> {
    const { name } = call.params;
    if (typeof name !== 'string') throw new OnemcpError('invalid_params', 'prompts/get needs a text "name"');
    return routeOf('prompts', name, call, context);
  },
  changes: (_, { name }) => ({ name }),
  finish: (result, { backend }, { method, client }, context) =>
    downgradeResult(method, rewritePromptResult(result, exposerFor(backend, context)), client.protocolVersion),
  fail(failure, call, context) {
    throw failedRequest(failure, call, context);
  },
});
