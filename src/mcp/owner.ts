import { OnemcpError } from '../errors.ts';
import type { Json, World } from '../world.ts';
import type { Context } from './method.ts';
import { resolveUri, templateMatches } from './uri.ts';
import type { Route, View } from './view.ts';

/**
 * The owner of a URI a client names: its namespace; else the one backend that lists or handed out just this URI; for
 * native URIs also the one whose template or scheme fits. Backends are never tried one after another.
 * @throws OnemcpError `unknown_resource` with `data.uri`, and `data.candidates` when several would fit
 */
export function ownerOfUri(uri: string, context: Context): Route {
  const world = context.world();
  const view = context.view(world);
  const native = context.naming.prefix === 'never';
  const listed = view.resources.routes.get(uri);
  if (listed && (native || !isHttp(uri))) return listed;
  const resolved = native ? undefined : resolveUri(uri, namespaces(world));
  if (resolved) return { backend: resolved.backend, name: resolved.uri };

  const only = (owners: readonly string[]): Route | undefined => {
    const [backend, ...others] = [...new Set(owners)];
    if (others.length > 0) throw notFound(uri, [backend as string, ...others]);
    return backend === undefined ? undefined : { backend, name: uri };
  };
  const handedOut = context.handedOut.get(uri) ?? [];
  const exact = only(listers(world, uri)) ?? only(handedOut.filter((name) => world.backends.has(name)));
  if (exact) return exact;
  if (!native && !isHttp(uri)) throw notFound(uri);
  const found = only(templateOwners(world, uri)) ?? only(schemeOwners(world, uri));
  if (!found) throw notFound(uri);
  return found;
}

const isHttp = (uri: string): boolean => /^https?:/i.test(uri);

/** The error for a URI that nobody has, or that several might. MCP server/resources §Error Handling. */
function notFound(uri: string, candidates?: readonly string[]): OnemcpError {
  const why = candidates ? `several servers could own it (${candidates.join(', ')})` : 'no server offers it';
  return new OnemcpError('unknown_resource', `Resource not found: ${uri.slice(0, 200)}: ${why}`, {
    uri,
    ...(candidates && { candidates }),
  });
}

/** Backend names by namespace in lower case. */
function namespaces(world: World): ReadonlyMap<string, string> {
  return new Map([...world.backends.values()].map(({ name, namespace }) => [namespace.toLowerCase(), name]));
}

const listers = (world: World, uri: string): readonly string[] =>
  [...world.backends.values()].filter(({ items }) => items.resources.some((item) => item.uri === uri)).map(({ name }) => name);

// The view would not do here: it shows what several servers have only with the first of them.
const templateOwners = ({ backends }: World, uri: string): readonly string[] =>
  [...backends.values()]
    .filter(({ items }) => items.templates.some(({ uriTemplate }) => templateMatches(uriTemplate as string, uri)))
    .map(({ name }) => name);

function schemeOwners({ backends }: World, uri: string): readonly string[] {
  const scheme = `${uri.split(':', 1)[0]}:`;
  const owns = (item: Json) => String(item.uri ?? item.uriTemplate).startsWith(scheme);
  return [...backends.values()].filter(({ items }) => items.resources.some(owns) || items.templates.some(owns)).map(({ name }) => name);
}

/**
 * The route of an exposed tool or prompt name; a bare original name is accepted when exactly one backend owns it.
 * @throws OnemcpError `unknown_tool` or `unknown_prompt`; with the candidates when a bare name is ambiguous
 */
export function ownerOfName(kind: 'tools' | 'prompts', name: string, view: View): Route | undefined {
  const { routes } = view[kind];
  const route = routes.get(name);
  if (route) return route;
  const owners = [...routes].filter(([, { name: original }]) => original === name);
  if (owners.length > 1) {
    throw unknownName(kind, name, `; several servers have it, so use one of ${owners.map(([exposed]) => exposed).join(', ')}`);
  }
  return owners[0]?.[1];
}

/** The error for a name that nobody has. */
export function unknownName(kind: 'tools' | 'prompts', name: string, advice = ''): OnemcpError {
  const [code, noun] = kind === 'tools' ? (['unknown_tool', 'tool'] as const) : (['unknown_prompt', 'prompt'] as const);
  return new OnemcpError(code, `Unknown ${noun}: ${name.slice(0, 200)}${advice}`);
}
