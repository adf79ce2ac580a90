import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import type { Call, Context, Method } from '../method.ts';
import { ownerOfName, unknownName } from '../owner.ts';
import { relay } from '../relay.ts';
import { rewritePromptResult } from '../rewrite.ts';
import { failedRequest, sessionOf } from '../unavailable.ts';
import { exposerFor } from './exposer.ts';

/** `prompts/get`: as a tool call, but failures are JSON-RPC errors. MCP server/prompts. */
export const getPrompt: Method = {
  name: 'prompts/get',
  async handle(call: Call, context: Context): Promise<Json> {
    const { name } = call.params;
    if (typeof name !== 'string') throw new OnemcpError('invalid_params', 'prompts/get needs a text "name"');
    const route = ownerOfName('prompts', name, context.view(context.world()));
    if (!route) throw unknownName('prompts', name);
    try {
      const session = await sessionOf(route.backend, call, context);
      const result = await relay(session, call, { name: route.name });
      return rewritePromptResult(result, exposerFor(route.backend, context));
    } catch (error) {
      throw failedRequest(route.backend, error);
    }
  },
};
