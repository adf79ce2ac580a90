import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import { downgradeResult } from '../downgrade.ts';
import type { Call, Context, Method } from '../method.ts';
import { relay } from '../relay.ts';
import { rewritePromptResult } from '../rewrite.ts';
import { routeOf } from '../route.ts';
import { failedRequest, sessionOf } from '../unavailable.ts';
import { exposerFor } from './exposer.ts';

/** `prompts/get`: as a tool call, but failures are JSON-RPC errors. MCP server/prompts. */
export const getPrompt: Method = {
  name: 'prompts/get',
  async handle(call: Call, context: Context): Promise<Json> {
    const { name } = call.params;
    if (typeof name !== 'string') throw new OnemcpError('invalid_params', 'prompts/get needs a text "name"');
    let backend: string | undefined;
    try {
      const route = await routeOf('prompts', name, call, context);
      backend = route.backend;
      const session = await sessionOf(backend, call, context);
      const result = await relay({ session, backend }, call, context, { name: route.name });
      return downgradeResult(call.method, rewritePromptResult(result, exposerFor(backend, context)), call.client.protocolVersion);
    } catch (error) {
      throw failedRequest(backend, error);
    }
  },
};
