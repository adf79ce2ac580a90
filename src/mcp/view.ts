import { isObject } from '../json.ts';
import { type BackendView, type Json, KINDS, type Kind, type World } from '../world.ts';
import { idField } from './catalog.ts';
import { ORIGINAL_NAME_META, SERVER_META } from './metaKeys.ts';
import { exposeName } from './names.ts';
import { createShown } from './shown.ts';
import { exposeTemplate, exposeUri } from './uri.ts';

/** Where an exposed name or URI leads: the backend, and what the backend calls it. */
export interface Route {
  readonly backend: string;
  /** Original name, URI or URI template. */
  readonly name: string;
  /** Arguments of a tool that are URIs by its schema: a client may put exposed ones there. */
  readonly uriArguments?: readonly string[];
}

/** An item that no client sees, because an earlier backend has the same name or URI. */
export interface Hidden extends Route {
  readonly keptBy: string;
}

/** One kind as clients see it. A new identity means that something changed. */
export interface ListView {
  /** Exposed items, backends in configuration order, then by original id. */
  readonly items: readonly Json[];
  /** By exposed id. Holds the last known items of backends that are down, so that calls can say so. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Only with `prefix: never`. */
  readonly hidden: readonly Hidden[];
}

/** What clients see. Each kind keeps its identity while it does not change. */
export type View = Readonly<Record<Kind, ListView>>;

export interface Naming {
  /** `always`: `namespace__name`; `never`: original names and URIs. */
  readonly prefix: 'always' | 'never';
  readonly maxLength: number;
}

interface Exposed {
  readonly id: string;
  readonly item: Json;
  readonly route: Route;
}

/** The World seen as lists: memoised, so that a World whose items did not change gives the same View. */
export function createViewOf(naming: Naming): (world: World) => View {
  const exposedOf = new WeakMap<readonly Json[], Map<string, readonly Exposed[]>>();
  const seen = new Map<Kind, { sources: readonly (readonly Json[])[]; names: string; list: ListView }>();
  let last: { world: World['backends']; view: View } | undefined;

  const shown = createShown();
  const itemsOf = (backend: BackendView, kind: Kind) => (kind === 'tools' ? shown(backend) : backend.items[kind]);

  const expose = (backend: BackendView, kind: Kind): readonly Exposed[] => {
    const items = itemsOf(backend, kind);
    let byBackend = exposedOf.get(items);
    if (!byBackend) {
      byBackend = new Map();
      exposedOf.set(items, byBackend);
    }
    const key = `${kind} ${backend.namespace} ${backend.name}`;
    let exposed = byBackend.get(key);
    if (!exposed) {
      exposed = exposeAll(items, { backend, kind, naming });
      byBackend.set(key, exposed);
    }
    return exposed;
  };

  const listOf = (backends: readonly BackendView[], kind: Kind): ListView => {
    const sources = backends.map((backend) => itemsOf(backend, kind));
    const names = backends.map(({ name, namespace }) => `${namespace}/${name}`).join(' ');
    const known = seen.get(kind);
    if (known && known.names === names && known.sources.every((source, index) => source === sources[index])) return known.list;
    const routes = new Map<string, Route>();
    const items: Json[] = [];
    const hidden: Hidden[] = [];
    for (const backend of backends) {
      for (const { id, item, route } of expose(backend, kind)) {
        // With `prefix: never`, and for http(s) URIs, the first owner in configuration order keeps the id.
        const first = routes.get(id);
        if (!first) {
          routes.set(id, route);
          items.push(item);
        } else if (naming.prefix === 'never' && !isWebPage(id)) hidden.push({ ...route, keptBy: first.backend });
      }
    }
    const list = { items, routes, hidden };
    seen.set(kind, { sources, names, list });
    return list;
  };

  return (world) => {
    if (last?.world === world.backends) return last.view;
    const backends = [...world.backends.values()];
    const view = Object.fromEntries(KINDS.map((kind) => [kind, listOf(backends, kind)])) as Record<Kind, ListView>;
    last = { world: world.backends, view };
    return view;
  };
}

interface Exposing {
  readonly backend: BackendView;
  readonly kind: Kind;
  readonly naming: Naming;
}

function exposeAll(items: readonly Json[], { backend, kind, naming: { prefix, maxLength } }: Exposing): readonly Exposed[] {
  const field = idField(kind);
  const taken = new Set<string>();
  const named = kind === 'tools' || kind === 'prompts';
  return items.map((item) => {
    const original = item[field] as string;
    const id = named
      ? exposeName(prefix === 'always' ? backend.namespace : '', original, maxLength, taken)
      : prefix === 'never'
        ? original
        : (kind === 'templates' ? exposeTemplate : exposeUri)(backend.namespace, original);
    taken.add(id);
    const safe = withSafeIcons(item);
    // Transparent naming leaves the items alone altogether.
    if (prefix === 'never') return { id, item: safe, route: { backend: backend.name, name: original } };
    const uriArguments = kind === 'tools' ? uriArgumentsOf(item.inputSchema as Json) : [];
    return {
      id,
      item: exposeItem(safe, { field, id, named, namespace: backend.namespace }),
      route: { backend: backend.name, name: original, ...(uriArguments.length > 0 && { uriArguments }) },
    };
  });
}

/** The same page, whoever names it. */
const isWebPage = (id: string): boolean => /^https?:/i.test(id);

/** Icons that would run or open something at the client are dropped, their item is not. MCP basic §icons. */
function withSafeIcons(item: Json): Json {
  const { icons } = item;
  if (!Array.isArray(icons) || !icons.some(isUnsafe)) return item;
  return { ...item, icons: icons.filter((icon) => !isUnsafe(icon)) };
}

/** URL parsers overlook blanks and control characters in a scheme. */
function isUnsafe(icon: unknown): boolean {
  const src = (icon as Json | null | undefined)?.src;
  if (typeof src !== 'string') return false;
  const scheme = src.slice(0, Math.max(0, src.indexOf(':'))).replace(/[^!-~]/g, '');
  return /^(javascript|file)$/i.test(scheme);
}

/** Properties of a tool's arguments with the format "uri": a URI, or an array of them. */
function uriArgumentsOf({ properties }: Json): readonly string[] {
  if (!isObject(properties)) return [];
  const isUri = (schema: unknown): boolean => isObject(schema) && schema.format === 'uri';
  return Object.keys(properties).filter((name) => {
    const schema = properties[name];
    return isUri(schema) || (isObject(schema) && isUri(schema.items));
  });
}

/** A list item with its exposed id and its provenance; everything else is the backend's own. */
function exposeItem(item: Json, { field, id, named, namespace }: { field: string; id: string; named: boolean; namespace: string }): Json {
  const meta =
    typeof item._meta === 'object' && item._meta !== null ? exposeUiMeta(item._meta as Json, (uri) => exposeUri(namespace, uri)) : {};
  return { ...item, [field]: id, _meta: { ...meta, [SERVER_META]: namespace, ...(named && { [ORIGINAL_NAME_META]: item[field] }) } };
}

/** MCP Apps point from a tool to its UI resource in `_meta.ui.resourceUri`, formerly `_meta["ui/resourceUri"]`. */
export function exposeUiMeta(meta: Json, expose: (uri: string) => string): Json {
  const ui = meta.ui as Json | null | undefined;
  const flat = meta['ui/resourceUri'];
  return {
    ...meta,
    ...(typeof ui?.resourceUri === 'string' && { ui: { ...ui, resourceUri: expose(ui.resourceUri) } }),
    ...(typeof flat === 'string' && { 'ui/resourceUri': expose(flat) }),
  };
}

/** Whether a tool points to a UI resource, in the new or the old form. */
export function pointsTo({ _meta }: Json, uri: string): boolean {
  if (!isObject(_meta)) return false;
  return _meta['ui/resourceUri'] === uri || (isObject(_meta.ui) && _meta.ui.resourceUri === uri);
}
