import { OnemcpError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Json, World } from '../world.ts';
import type { Context } from './method.ts';
import { splitName } from './names.ts';
import { isShown } from './shown.ts';
import { resolveUri, templateMatches } from './uri.ts';
import { type ListView, type Naming, pointsTo, type Route, type View } from './view.ts';

/**
 * The owner of a URI a client names: its namespace; else the one backend that lists or handed out just this URI; for
 * native URIs also the one whose template or scheme fits. Backends are never tried one after another.
 * @throws OnemcpError `unknown_resource` with `data.uri`, and `data.candidates` when several would fit
 */
export function ownerOfUri(uri: string, context: Context): Route {
  // It is what it says: there is nothing to read.
  if (/^data:/i.test(uri)) throw notFound(uri);
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
  const exact = only(listers(world, uri)) ?? only(mentioners(world, uri, context.handedOut));
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

/** Backends whose results or tools mentioned a URI: UI resources and links need not be listed. */
function mentioners({ backends }: World, uri: string, handedOut: Context['handedOut']): readonly string[] {
  const before = handedOut.get(uri) ?? [];
  return [...backends.values()]
    .filter(({ name, items }) => before.includes(name) || items.tools.some((tool) => pointsTo(tool, uri)))
    .map(({ name }) => name);
}

// The view would not do here: it shows what several servers have only with the first of them.
const templateOwners = ({ backends }: World, uri: string): readonly string[] =>
  [...backends.values()]
    .filter(({ items }) => items.templates.some(({ uriTemplate }) => templateMatches(uriTemplate as string, uri)))
    .map(({ name }) => name);

function schemeOwners({ backends }: World, uri: string): readonly string[] {
  const scheme = `${uri.split(':', 1)[0]}:`.toLowerCase();
  const owns = (item: Json) =>
    String(item.uri ?? item.uriTemplate)
      .slice(0, scheme.length)
      .toLowerCase() === scheme;
  return [...backends.values()].filter(({ items }) => items.resources.some(owns) || items.templates.some(owns)).map(({ name }) => name);
}

/**
 * The route of an exposed tool or prompt name; a bare original name is accepted when exactly one backend owns it.
 * @throws OnemcpError `unknown_tool` or `unknown_prompt`; with the candidates when a bare name is ambiguous
 */
export function ownerOfName(kind: 'tools' | 'prompts', name: string, view: View): Route | undefined {
  const list = view[kind];
  const route = list.routes.get(name);
  if (route) return route;
  const exposed = bareNames(list).get(name);
  if (!exposed) return undefined;
  if (exposed.length > 1) throw unknownName(kind, name, `; several servers have it, so use one of ${exposed.join(', ')}`);
  return list.routes.get(exposed[0] as string);
}

const bareNamesOf = new WeakMap<ListView, ReadonlyMap<string, readonly string[]>>();

/** Exposed names by original name, made once for a list: views of MCP Apps call by bare names only. */
function bareNames(list: ListView): ReadonlyMap<string, readonly string[]> {
  const known = bareNamesOf.get(list);
  if (known) return known;
  const names = new Map<string, string[]>();
  for (const [exposed, { name }] of list.routes) {
    const same = names.get(name);
    if (same) same.push(exposed);
    else names.set(name, [exposed]);
  }
  bareNamesOf.set(list, names);
  return names;
}

/**
 * The route of a name that is in no list. A backend with connections for single clients may list more to such a client
 * than to the connection its lists come from; if exactly one that is connected could own the name, it is asked.
 */
export function unlistedOwner(name: string, { backends }: World, { prefix }: Naming): Route | undefined {
  const own = [...backends.values()].filter(
    ({ state, isolation }) => state === 'connected' && (isolation === 'session' || isolation === 'principal'),
  );
  if (prefix === 'never') {
    const [only, ...others] = own;
    return only && others.length === 0 && name !== '' && isShown(only, name) ? { backend: only.name, name } : undefined;
  }
  const parts = splitName(name);
  const owner = parts && own.find(({ namespace }) => namespace === parts.namespace);
  return owner && parts.rest !== '' && isShown(owner, parts.rest) ? { backend: owner.name, name: parts.rest } : undefined;
}

/**
 * Arguments of a tool as its backend knows them: where its schema wants a URI, an exposed one of the same backend
 * becomes the backend's own; every other value stays.
 */
export function originalArguments(given: unknown, { backend, uriArguments = [] }: Route, namespace: string): unknown {
  if (!isObject(given)) return given;
  const own = new Map([[namespace.toLowerCase(), backend]]);
  const original = (value: unknown) => (typeof value === 'string' ? (resolveUri(value, own)?.uri ?? value) : value);
  const replaced = { ...given };
  for (const name of uriArguments) {
    if (!Object.hasOwn(given, name)) continue;
    const value = given[name];
    replaced[name] = Array.isArray(value) ? value.map(original) : original(value);
  }
  return replaced;
}

/** The error for a name that nobody has. */
export function unknownName(kind: 'tools' | 'prompts', name: string, advice = ''): OnemcpError {
  const [code, noun] = kind === 'tools' ? (['unknown_tool', 'tool'] as const) : (['unknown_prompt', 'prompt'] as const);
  return new OnemcpError(code, `Unknown ${noun}: ${name.slice(0, 200)}${advice}`);
}
