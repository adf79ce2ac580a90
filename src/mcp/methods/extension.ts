import { failedRequest } from '../failure.ts';
import type { Context, Method } from '../method.ts';
import { relayed } from '../relayed.ts';

/**
 * A method of an extension that `passthroughExtensions` gives to one backend, such as `com.acme/x/search`: relayed as it
 * is. Undefined for every other method.
 */
export function extensionMethod(method: string, { extensions }: Context): Method | undefined {
  const extension = Object.keys(extensions).find((name) => method.startsWith(`${name}/`));
  if (extension === undefined) return undefined;
  const route = { backend: extensions[extension] as string, name: '' };
  return relayed({
    name: method,
    route: () => route,
    changes: () => ({}),
    finish: (result) => result,
    fail(failure, call, context) {
      throw failedRequest(failure, call, context);
    },
  });
}
