import type { BackendView, Json, Kind, World } from '../../world.ts';
import { type Call, type Context, type Method, type Result, Serialized, waitFor } from '../method.ts';
import { type Cursors, type Page, pageAfter } from '../page.ts';
import type { ListView } from '../view.ts';

/** `_meta` key that names the servers whose items are missing from a list. */
const PARTIAL_META = 'dev.onemcp/partial';

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
  /** First pages as text: one serialisation for all clients, until the list changes. */
  const texts = new WeakMap<ListView, string>();

  return {
    name,
    async handle(call: Call, context: Context): Promise<Result> {
      const position = cursors.decode(kind, call.params.cursor);
      await initialWait(call, context);
      const world = context.world();
      const list = context.view(world)[kind];
      const partial = missing(world);
      const page = () => pageAfter(list, { backends: [...world.backends.keys()], position, size: context.limits['list.pageSize'] });
      if (position) return pageResult(page(), partial);
      if (partial.length > 0) return new Serialized(JSON.stringify(pageResult(page(), partial)), list);
      let text = texts.get(list);
      if (text === undefined) {
        text = JSON.stringify(pageResult(page(), []));
        texts.set(list, text);
      }
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

/** Servers of which no list was ever read in this run. */
function missing({ backends }: World): readonly Json[] {
  const never = (view: BackendView) => view.connects === 0;
  return [...backends.values()].filter(never).map(({ namespace, state, lastError }) => ({
    server: namespace,
    state,
    ...(lastError && { reason: lastError.data?.reason ?? lastError.code }),
  }));
}
