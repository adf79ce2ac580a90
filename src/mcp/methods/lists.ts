import type { Json, Kind, World } from '../../world.ts';
import { shortcomingOf } from '../catalog.ts';
import { PARTIAL_META } from '../metaKeys.ts';
import { type Call, type Context, type Method, type Result, Serialized, waitFor } from '../method.ts';
import { type Cursors, type Page, pageAfter } from '../page.ts';
import type { ListView } from '../view.ts';

/** The four list methods: answered from memory, never by asking a backend. */
export function listMethods(cursors: Cursors): readonly Method[] {
  return [
    listMethod('tools/list', 'tools', 'tools', cursors),
    listMethod('prompts/list', 'prompts', 'prompts', cursors),
    listMethod('resources/list', 'resources', 'resources', cursors),
    listMethod('resources/templates/list', 'templates', 'resourceTemplates', cursors),
  ];
}

function listMethod(name: string, kind: Kind, key: string, cursors: Cursors): Method {
  /** First pages as text: one serialisation for all clients, until the list or what it lacks changes. */
  const texts = new WeakMap<ListView, { readonly lacks: string; readonly text: string }>();

  return {
    name,
    async handle(call: Call, context: Context): Promise<Result> {
      const position = cursors.decode(kind, call.params.cursor);
      await initialWait(call, context);
      const world = context.world();
      const list = context.view(world)[kind];
      const partial = missing(world, kind);
      const page = () =>
        pageAfter(list, {
          backends: [...world.backends.keys()],
          position,
          size: context.limits['list.pageSize'],
          bytes: context.limits['list.pageBytes'],
        });
      if (position) return pageResult(page(), partial);
      const lacks = partial.length === 0 ? '' : JSON.stringify(partial);
      const known = texts.get(list);
      if (known?.lacks === lacks) return new Serialized(known.text, list);
      const text = JSON.stringify(pageResult(page(), partial));
      texts.set(list, { lacks, text });
      return new Serialized(text, list);
    },
  };

  function pageResult({ items, next }: Page, partial: readonly Json[]): Json {
    return {
      [key]: items,
      ...(next && { nextCursor: cursors.encode(kind, next) }),
      ...(partial.length > 0 && { _meta: { [PARTIAL_META]: partial } }),
    };
  }
}

/**
 * Many clients list once and never again, so the first lists wait until every backend was seen connected or failed, but
 * not longer than `initialWait` after the start of the gateway.
 */
async function initialWait({ signal }: Call, context: Context): Promise<void> {
  const ms = context.startedAt + context.limits.initialWait - context.now();
  await waitFor(context, { ms, signal }, (world) => (allSettled(world) ? true : undefined));
}

function allSettled({ backends }: World): boolean {
  for (const { settled } of backends.values()) if (!settled) return false;
  return true;
}

/** Servers whose list was never read, or is not all there. One of an earlier run is whole, as far as anybody knows. */
function missing({ backends }: World, kind: Kind): readonly Json[] {
  const servers: Json[] = [];
  for (const view of backends.values()) {
    if (view.remembered !== undefined) continue;
    const reason =
      view.connects === 0 ? view.lastError && (view.lastError.data?.reason ?? view.lastError.code) : shortcomingOf(kind, view.notes);
    if (view.connects > 0 && !reason) continue;
    servers.push({ server: view.namespace, state: view.state, ...(reason && { reason }) });
  }
  return servers;
}
