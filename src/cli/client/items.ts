import { WireError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { ORIGINAL_NAME_META, PARTIAL_META, SERVER_META } from '../../mcp/metaKeys.ts';
import type { Json } from '../../world.ts';
import { say } from '../control.ts';
import type { ProcessPorts } from '../process.ts';
import type { Visit } from './visit.ts';

/** The lists of MCP: method and key of the items. */
const LISTS = {
  tools: ['tools/list', 'tools'],
  prompts: ['prompts/list', 'prompts'],
  resources: ['resources/list', 'resources'],
  templates: ['resources/templates/list', 'resourceTemplates'],
} as const;

export type ListName = keyof typeof LISTS;

/** A list with all its pages. */
export interface Listed {
  readonly items: readonly Json[];
  /** Namespaces of servers of which items are missing, and how those are. */
  readonly partial: ReadonlyMap<string, string>;
}

/** More than any gateway has. */
const MOST_PAGES = 10_000;
const METHOD_NOT_FOUND = -32601;

/** Every page of a list; an endpoint without such a list has none. */
export async function allOf(list: ListName, { request }: Visit): Promise<Listed> {
  const [method, key] = LISTS[list];
  const items: Json[] = [];
  const partial = new Map<string, string>();
  const cursors = new Set<unknown>();
  let cursor: unknown;
  do {
    const page = await request(method, cursor === undefined ? {} : { cursor }).catch((error: unknown) => {
      if (error instanceof WireError && error.error.code === METHOD_NOT_FOUND) return {} as Json;
      throw error;
    });
    for (const item of arrayOf(page[key])) if (isObject(item)) items.push(item);
    for (const missing of arrayOf(isObject(page._meta) ? page._meta[PARTIAL_META] : [])) {
      if (isObject(missing)) partial.set(String(missing.server), String(missing.reason ?? missing.state));
    }
    cursors.add(cursor);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && !cursors.has(cursor) && cursors.size < MOST_PAGES);
  return { items, partial };
}

const arrayOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const metaOf = ({ _meta }: Json, key: string): string => (isObject(_meta) && typeof _meta[key] === 'string' ? _meta[key] : '');

/** The namespace of the server an item is of; empty where the endpoint does not say. */
export const serverOf = (item: Json): string => metaOf(item, SERVER_META);

/** What its server calls it. */
export const originalOf = (item: Json): string => metaOf(item, ORIGINAL_NAME_META) || String(item.name);

/** Says of which servers a list has not everything. */
export function noteMissing({ partial }: Listed, { stderr }: Pick<ProcessPorts, 'stderr'>): void {
  if (partial.size === 0) return;
  const servers = [...partial].map(([server, why]) => `${server} (${why})`).join(', ');
  say(stderr, `onemcp: not everything is listed: ${servers}; see onemcp why NAME`);
}
