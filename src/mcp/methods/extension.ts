import type { Json } from '../../world.ts';
import type { Call, Context, Method } from '../method.ts';
import { relay } from '../relay.ts';
import { failedRequest, sessionOf } from '../unavailable.ts';

/**
 * A method of an extension that `passthroughExtensions` gives to one backend, such as `com.acme/x/search`: relayed as it
 * is. Undefined for every other method.
 */
export function extensionMethod(method: string, { extensions }: Context): Method | undefined {
  const extension = Object.keys(extensions).find((name) => method.startsWith(`${name}/`));
  if (extension === undefined) return undefined;
  const backend = extensions[extension] as string;
  return {
    name: method,
    async handle(call: Call, context: Context): Promise<Json> {
      try {
        return await relay({ session: await sessionOf(backend, call, context), backend }, call, context, {});
      } catch (error) {
        throw failedRequest(backend, error);
      }
    },
  };
}
