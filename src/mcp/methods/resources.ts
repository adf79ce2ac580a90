import { OnemcpError, WireError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import { type Failure, failedRequest } from '../failure.ts';
import type { Call, Context } from '../method.ts';
import { ownerOfUri } from '../owner.ts';
import { relayed } from '../relayed.ts';
import { rewriteReadResult } from '../rewrite.ts';
import type { Route } from '../view.ts';
import { exposerFor } from './exposer.ts';

/** The owner of a URI, and how the client called it. */
export interface UriRoute extends Route {
  readonly asked: string;
}

/** `resources/read`: the owner of the URI is asked by its own URI. MCP server/resources. */
export const readResource = relayed({
  name: 'resources/read',
  route: uriRoute,
  changes: (_, { name }) => ({ uri: name }),
  finish: (result, { backend, name, asked }, _, context) =>
    rewriteReadResult(result, { asked, original: name }, exposerFor(backend, context)),
  fail(failure, call, context) {
    throw failedRequest(withAskedUri(failure), call, context);
  },
});

export function uriRoute({ method, params: { uri } }: Call, context: Context): UriRoute {
  if (typeof uri !== 'string') throw new OnemcpError('invalid_params', `${method} needs a text "uri"`);
  const { backend, name } = ownerOfUri(uri, context);
  return { backend, name, asked: uri };
}

/** A not-found of the backend names the URI the client knows. */
export function withAskedUri(failure: Failure & { readonly route: UriRoute | undefined }): Failure {
  const { error, route } = failure;
  if (!(error instanceof WireError) || !route) return failure;
  const data = error.error.data as Json | null | undefined;
  if (typeof data !== 'object' || data?.uri !== route.name) return failure;
  return { ...failure, error: new WireError({ ...error.error, data: { ...data, uri: route.asked } }) };
}
