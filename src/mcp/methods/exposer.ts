import type { Context } from '../method.ts';
import { type ExposeLink, linkExposer } from '../rewrite.ts';

/** How URIs in results of a backend get their exposed form. */
export function exposerFor(backend: string, context: Context): ExposeLink {
  const namespace = context.world().backends.get(backend)?.namespace ?? backend;
  return linkExposer({ name: backend, namespace }, context.naming.prefix === 'never', context.handedOut);
}
