import { isDeepStrictEqual } from 'node:util';
import { OnemcpError, WireError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { type BackendSession, type Items, type Json, KINDS, type Kind } from '../world.ts';

/** How the lists of each kind are asked for. MCP server/tools, server/prompts, server/resources. */
const LISTS: Readonly<Record<Kind, { method: string; key: string; capability: string; id: string }>> = {
  tools: { method: 'tools/list', key: 'tools', capability: 'tools', id: 'name' },
  prompts: { method: 'prompts/list', key: 'prompts', capability: 'prompts', id: 'name' },
  resources: { method: 'resources/list', key: 'resources', capability: 'resources', id: 'uri' },
  templates: { method: 'resources/templates/list', key: 'resourceTemplates', capability: 'resources', id: 'uriTemplate' },
};

/** The field that identifies an item of a kind: `name`, `uri` or `uriTemplate`. */
export const idField = (kind: Kind): string => LISTS[kind].id;

/** Lists of one backend, and one sentence for each thing that was wrong with them. */
export interface Fetched {
  readonly items: Items;
  readonly notes: readonly string[];
}

export interface FetchOptions {
  /** Name of the backend, for notes. */
  readonly name: string;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** A kind that comes out equal keeps this identity, and one that cannot be read keeps its old list. */
  readonly previous: Items;
  /** What was wrong before: it stays for the kinds that are not read now. */
  readonly previousNotes?: readonly string[];
  readonly kinds?: readonly Kind[];
  /** Takes secrets out of what the backend says. */
  readonly redact?: (text: string) => string;
}

/** Notes on one list. A list with thousands of bad items gets a few, and a count of the rest. */
interface Notes {
  add(text: string): void;
  readonly all: readonly string[];
}

const MAX_NOTES = 20;

/** Every note begins with the method it is about, which is what tells later whose it is. */
function createNotes(kind: Kind, redact: (text: string) => string): Notes {
  const notes: string[] = [];
  let more = 0;
  return {
    add(text) {
      if (notes.length < MAX_NOTES) notes.push(`${LISTS[kind].method}${redact(text)}`);
      else more++;
    },
    get all() {
      return more > 0 ? [...notes, `${LISTS[kind].method}: there is more to say of ${more} others`] : notes;
    },
  };
}

/** What is known after kinds of it could not be read at all. */
export function afterFailure({ items, notes }: Fetched, kinds: readonly Kind[], error: Error): Fetched {
  return { items, notes: [...notesOnOthers(notes, kinds), ...kinds.map((kind) => `${LISTS[kind].method} failed: ${error.message}`)] };
}

const notesOnOthers = (notes: readonly string[], kinds: readonly Kind[]): readonly string[] =>
  notes.filter((note) => !kinds.some((kind) => note.startsWith(LISTS[kind].method)));

/**
 * Reads the lists a backend advertises, all pages of them, one bad item or kind never spoiling the rest.
 * @throws the first error when every advertised kind failed, or when the signal aborts or the session is gone
 */
export async function fetchItems(session: BackendSession, options: FetchOptions): Promise<Fetched> {
  const { previous, signal, redact = (text) => text } = options;
  const kinds = options.kinds ?? KINDS;
  const advertised = kinds.filter((kind) => session.info.capabilities[LISTS[kind].capability] !== undefined);
  const notes = new Map(kinds.map((kind) => [kind, createNotes(kind, redact)]));
  const items: Record<Kind, readonly Json[]> = { ...previous };
  for (const kind of kinds) if (!advertised.includes(kind)) items[kind] = previous[kind].length === 0 ? previous[kind] : [];
  const failures = await Promise.all(
    advertised.map(async (kind) => {
      try {
        const list = await fetchKind(session, kind, options, notes.get(kind) as Notes);
        items[kind] = isDeepStrictEqual(list, previous[kind]) ? previous[kind] : list;
        return undefined;
      } catch (error) {
        notes.get(kind)?.add(` failed: ${(error as Error).message}`);
        return error;
      }
    }),
  );
  signal.throwIfAborted();
  const required = failures.filter((_, index) => advertised[index] !== 'templates');
  if (required.length > 0 && required.every((failure) => failure !== undefined)) throw listFailure(options.name, required[0], redact);
  const now = [...notes.values()].flatMap(({ all }) => all);
  return { items, notes: [...notesOnOthers(options.previousNotes ?? [], kinds), ...now] };
}

function listFailure(name: string, error: unknown, redact: (text: string) => string): unknown {
  if (!(error instanceof WireError)) return error;
  const message = `"${name}" cannot list what it offers: ${redact(error.message).slice(0, 400)}`;
  return new OnemcpError('invalid_response', message, { server: name, reason: 'list-failed' }, error);
}

/** One list: every page, valid items only, in code-unit order of their ids. */
async function fetchKind(session: BackendSession, kind: Kind, options: FetchOptions, notes: Notes): Promise<readonly Json[]> {
  const { method, key } = LISTS[kind];
  const { limits, signal } = options;
  const found = new Map<string, Json>();
  const cursors = new Set<string>();
  let params: Json | undefined;
  for (let page = 1; ; page++) {
    let result: Json;
    try {
      result = await session.request(method, params, { signal, timeoutMs: limits.listTimeout, totalTimeoutMs: limits.listTimeout });
      if (!Array.isArray(result[key])) throw new OnemcpError('invalid_response', `${method} of "${options.name}" has no array "${key}"`);
    } catch (error) {
      if (page === 1 && error instanceof WireError && error.error.code === -32601) {
        notes.add(' is advertised but not implemented');
        return [];
      }
      if (found.size === 0) throw error;
      // A complete older list is better than a torn new one; without one, what was read is better than nothing.
      notes.add(` failed on page ${page}: ${(error as Error).message}`);
      if (options.previous[kind].length > 0) return options.previous[kind];
      break;
    }
    for (const item of result[key] as readonly unknown[]) addItem(kind, item, found, notes);
    const cursor = result.nextCursor;
    // "" is a cursor like any other (MCP server/utilities/pagination).
    if (typeof cursor !== 'string') break;
    const stop = cursors.has(cursor)
      ? 'its cursors repeat (cursor-loop)'
      : page >= limits['list.maxPages']
        ? `it has more than ${page} pages`
        : found.size >= limits['list.maxItems']
          ? `it has more than ${limits['list.maxItems']} items`
          : undefined;
    if (stop) {
      notes.add(` was cut: ${stop}`);
      break;
    }
    cursors.add(cursor);
    params = { cursor };
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

const MAX_ID = 8192;

function addItem(kind: Kind, item: unknown, found: Map<string, Json>, notes: Notes): void {
  const flaw = flawOf(kind, item, found);
  if (flaw) notes.add(`: an item was left out: ${flaw}`);
  else found.set((item as Json)[LISTS[kind].id] as string, item as Json);
}

/** Why an item cannot be served, or undefined. */
function flawOf(kind: Kind, item: unknown, found: ReadonlyMap<string, Json>): string | undefined {
  const { id } = LISTS[kind];
  if (!isObject(item)) return 'it is not an object';
  const value = item[id];
  if (typeof value !== 'string' || value === '') return `its "${id}" is not a text`;
  const label = JSON.stringify(value.slice(0, 80));
  if (value.length > MAX_ID) return `${label} begins a "${id}" of ${value.length} characters`;
  if (found.has(value)) return `${label} is listed twice; the first one is kept`;
  if (kind === 'tools' && !isObject(item.inputSchema)) return `${label} has no object "inputSchema"`;
  return undefined;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
