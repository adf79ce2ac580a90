import { OnemcpError, WireError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import type { Call, Context, Method } from '../method.ts';
import { ownerOfUri } from '../owner.ts';
import { relay } from '../relay.ts';
import { rewriteReadResult } from '../rewrite.ts';
import { failedRequest, sessionOf } from '../unavailable.ts';
import { exposerFor } from './exposer.ts';

/** `resources/read`: the owner of the URI is asked by its own URI. MCP server/resources. */
export const readResource: Method = {
  name: 'resources/read',
  async handle(call: Call, context: Context): Promise<Json> {
    const { uri } = call.params;
    if (typeof uri !== 'string') throw new OnemcpError('invalid_params', 'resources/read needs a text "uri"');
    const { backend, name: original } = ownerOfUri(uri, context);
    try {
      const session = await sessionOf(backend, call, context);
      const result = await relay({ session, backend }, call, context, { uri: original });
      return rewriteReadResult(result, { asked: uri, original }, exposerFor(backend, context));
    } catch (error) {
      throw failedRequest(backend, withAskedUri(error, uri, original));
    }
  },
};

/** A not-found of the backend names the URI the client knows. */
export function withAskedUri(error: unknown, uri: string, original: string): unknown {
  if (!(error instanceof WireError)) return error;
  const data = error.error.data as Json | null | undefined;
  if (typeof data !== 'object' || data?.uri !== original) return error;
  return new WireError({ ...error.error, data: { ...data, uri } });
}
