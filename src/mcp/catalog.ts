import { isDeepStrictEqual } from 'node:util';
import { OnemcpError, WireError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Limits } from '../limits.ts';
import { type BackendSession, type Items, type Json, KINDS, type Kind } from '../world.ts';
import { hidesSomething, quoted, tidied } from './hygiene.ts';

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
  /** Takes secrets out of what the backend says, and makes it fit to be shown. */
  readonly redact?: (text: string) => string;
  /** Takes secrets out and changes nothing else: what is cut later would no longer show the whole of one. */
  readonly hide?: (text: string) => string;
}

/** Notes on one list. A list with thousands of bad items gets a few, and a count of the rest. */
interface Notes {
  /** On the list as a whole. */
  add(text: string): void;
  /** On one of its items. */
  item(flaw: string): void;
  /** On an item that is there all the same. */
  change(text: string): void;
  readonly all: readonly string[];
}

const MAX_NOTES = 20;

const FAILED = ' failed';
const CUT = ' was cut';
const CURSOR_LOOP = 'its cursors repeat (cursor-loop)';
const NOT_IMPLEMENTED = ' is advertised but not implemented';

/** Every note begins with the method it is about, which is what tells later whose it is. */
function createNotes(kind: Kind, redact: (text: string) => string): Notes {
  const { method } = LISTS[kind];
  const whole: string[] = [];
  const items: string[] = [];
  let more = 0;
  const note = (text: string) => {
    if (items.length < MAX_NOTES) items.push(text);
    else more++;
  };
  return {
    add: (text) => void whole.push(`${method}${redact(text)}`),
    item(flaw) {
      note(`${method}: an item was left out: ${redact(flaw)}`);
    },
    change: (text) => note(`${method}: ${redact(text)}`),
    get all() {
      return [...whole, ...items, ...(more > 0 ? [`${method}: there is more to say of ${more} others`] : [])];
    },
  };
}

/** What is known after kinds of it could not be read at all. */
export function afterFailure({ items, notes }: Fetched, kinds: readonly Kind[], error: Error): Fetched {
  return { items, notes: [...notesOnOthers(notes, kinds), ...kinds.map((kind) => `${LISTS[kind].method}${FAILED}: ${error.message}`)] };
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
        notes.get(kind)?.add(`${FAILED}: ${(error as Error).message}`);
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

/**
 * One list: every page, valid items only, in code-unit order of their ids. A limit that the list would meet again next
 * time keeps what was read; an error, or a backend that is slow today, keeps the older list if there is one.
 */
async function fetchKind(session: BackendSession, kind: Kind, options: FetchOptions, notes: Notes): Promise<readonly Json[]> {
  const { method, key } = LISTS[kind];
  const { limits, signal, hide = (text) => text } = options;
  const found = new Map<string, Json>();
  const cursors = new Set<string>();
  const deadline = performance.now() + limits['list.totalTimeout'];
  let bytes = 0;
  let params: Json | undefined;
  for (let page = 1; ; page++) {
    let result: Json;
    try {
      const ms = Math.ceil(Math.min(limits.listTimeout, deadline - performance.now()));
      if (ms <= 0) throw tooSlow(options);
      result = await session.request(method, params, { signal, timeoutMs: ms, totalTimeoutMs: ms });
      if (!Array.isArray(result[key])) throw new OnemcpError('invalid_response', `${method} of "${options.name}" has no array "${key}"`);
    } catch (error) {
      if (page === 1 && error instanceof WireError && error.error.code === -32601) {
        notes.add(NOT_IMPLEMENTED);
        return [];
      }
      const failure = performance.now() >= deadline ? tooSlow(options) : (error as Error);
      if (found.size === 0) throw failure;
      notes.add(`${FAILED} on page ${page}: ${failure.message}`);
      if (options.previous[kind].length > 0) return options.previous[kind];
      break;
    }
    for (const item of result[key] as readonly unknown[]) addItem(kind, item, { found, notes, limits, hide });
    const cursor = result.nextCursor;
    // "" is a cursor like any other (MCP server/utilities/pagination).
    if (typeof cursor !== 'string') break;
    // Most lists have one page, and are never measured.
    bytes += Buffer.byteLength(JSON.stringify(result[key]));
    const stop = cursors.has(cursor) ? CURSOR_LOOP : limitReached(limits, { pages: page, items: found.size, bytes });
    if (stop) {
      notes.add(`${CUT}: ${stop}`);
      break;
    }
    cursors.add(cursor);
    params = { cursor };
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

const tooSlow = ({ name, limits: { 'list.totalTimeout': ms } }: FetchOptions) =>
  new OnemcpError('timeout', `all its pages took longer than ${ms} ms (list.totalTimeout)`, { server: name, reason: 'timeout' });

/** Why no more pages are read, or undefined. */
function limitReached(limits: Limits, { pages, items, bytes }: { pages: number; items: number; bytes: number }): string | undefined {
  const { 'list.maxPages': maxPages, 'list.maxItems': maxItems, 'list.maxBytes': maxBytes } = limits;
  if (pages >= maxPages) return `it has more than ${maxPages} pages (list.maxPages)`;
  if (items >= maxItems) return `it has more than ${maxItems} items (list.maxItems)`;
  if (bytes >= maxBytes) return `it has more than ${maxBytes} bytes (list.maxBytes)`;
  return undefined;
}

/** Why a list is not all that its backend has. */
export type Shortcoming = 'cursor-loop' | 'list-cut' | 'list-failed';

/** What the notes of a backend say of one of its lists; items that were left out do not make it incomplete. */
export function shortcomingOf(kind: Kind, notes: readonly string[]): Shortcoming | undefined {
  const { method } = LISTS[kind];
  for (const note of notes) {
    if (note.startsWith(`${method}${CUT}`)) return note.endsWith(CURSOR_LOOP) ? 'cursor-loop' : 'list-cut';
    if (note.startsWith(`${method}${FAILED}`)) return 'list-failed';
  }
  return undefined;
}

/** Characters of a URI or a URI template. */
const MAX_URI = 8192;

interface Adding {
  readonly found: Map<string, Json>;
  readonly notes: Notes;
  readonly limits: Limits;
  readonly hide: (text: string) => string;
}

function addItem(kind: Kind, item: unknown, adding: Adding): void {
  const { found, notes, limits, hide } = adding;
  const flaw = flawOf(kind, item, adding);
  if (flaw) return notes.item(flaw);
  const id = (item as Json)[LISTS[kind].id] as string;
  const tidy = tidied(item as Json, limits);
  if (typeof tidy === 'string') return notes.item(`${labelOf(id, hide)}: ${tidy}`);
  for (const note of tidy.notes) notes.change(`${labelOf(id, hide)}: ${note}`);
  found.set(id, tidy.item);
}

/** Why an item cannot be served, or undefined. */
function flawOf(kind: Kind, item: unknown, { found, limits, hide }: Adding): string | undefined {
  const { id } = LISTS[kind];
  if (!isObject(item)) return 'it is not an object';
  const value = item[id];
  if (typeof value !== 'string' || value === '') return `its "${id}" is not a text`;
  const label = labelOf(value, hide);
  if (id !== 'name' && value.length > MAX_URI) return `${label} begins a "${id}" of ${value.length} characters`;
  if (id === 'name' && value.length > limits['item.maxName']) {
    return `${label} begins a "name" of ${value.length} characters, more than ${limits['item.maxName']} (item.maxName)`;
  }
  if (hidesSomething(value)) return `${label} has invisible characters in its "${id}"`;
  if (found.has(value)) return `${label} is listed twice; the first one is kept`;
  if (kind === 'tools' && !isObject(item.inputSchema)) return `${label} has no object "inputSchema"`;
  return undefined;
}

/** The beginning of an id, for notes. */
const labelOf = (id: string, hide: (text: string) => string): string => quoted(hide(id).slice(0, 80));
