import { type BackendView, type Json, KINDS, type Kind, type World } from '../world.ts';
import { idField } from './catalog.ts';
import { exposeName } from './names.ts';
import { exposeTemplate, exposeUri } from './uri.ts';

/** Where an exposed name or URI leads: the backend, and what the backend calls it. */
export interface Route {
  readonly backend: string;
  /** Original name, URI or URI template. */
  readonly name: string;
}

/** One kind as clients see it. A new identity means that something changed. */
export interface ListView {
  /** Exposed items, backends in configuration order, then by original id. */
  readonly items: readonly Json[];
  /** By exposed id. Holds the last known items of backends that are down, so that calls can say so. */
  readonly routes: ReadonlyMap<string, Route>;
}

/** What clients see. Each kind keeps its identity while it does not change. */
export type View = Readonly<Record<Kind, ListView>>;

export interface Naming {
  /** `always`: `namespace__name`; `never`: original names and URIs. */
  readonly prefix: 'always' | 'never';
  readonly maxLength: number;
}

/** Provenance of an item, under our own `_meta` prefix. MCP basic §_meta. */
export const SERVER_META = 'dev.onemcp/server';
export const ORIGINAL_NAME_META = 'dev.onemcp/originalName';

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

  const expose = (backend: BackendView, kind: Kind): readonly Exposed[] => {
    const items = backend.items[kind];
    let byBackend = exposedOf.get(items);
    if (!byBackend) {
      byBackend = new Map();
      exposedOf.set(items, byBackend);
    }
    const key = `${kind} ${backend.name}`;
    let exposed = byBackend.get(key);
    if (!exposed) {
      exposed = exposeAll(backend, kind, naming);
      byBackend.set(key, exposed);
    }
    return exposed;
  };

  const listOf = (backends: readonly BackendView[], kind: Kind): ListView => {
    const sources = backends.map((backend) => backend.items[kind]);
    const names = backends.map((backend) => backend.name).join(' ');
    const known = seen.get(kind);
    if (known && known.names === names && known.sources.every((source, index) => source === sources[index])) return known.list;
    const routes = new Map<string, Route>();
    const items: Json[] = [];
    for (const backend of backends) {
      for (const { id, item, route } of expose(backend, kind)) {
        // With `prefix: never`, and for http(s) URIs, the first owner in configuration order keeps the id.
        if (routes.has(id)) continue;
        routes.set(id, route);
        items.push(item);
      }
    }
    const list = { items, routes };
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

function exposeAll(backend: BackendView, kind: Kind, { prefix, maxLength }: Naming): readonly Exposed[] {
  const field = idField(kind);
  const taken = new Set<string>();
  const named = kind === 'tools' || kind === 'prompts';
  return backend.items[kind].map((item) => {
    const original = item[field] as string;
    const id = named
      ? exposeName(prefix === 'always' ? backend.namespace : '', original, maxLength, taken)
      : prefix === 'never'
        ? original
        : (kind === 'templates' ? exposeTemplate : exposeUri)(backend.namespace, original);
    taken.add(id);
    // Transparent naming leaves the items alone altogether.
    const exposed = prefix === 'never' ? item : exposeItem(item, { field, id, named, namespace: backend.namespace });
    return { id, item: exposed, route: { backend: backend.name, name: original } };
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
