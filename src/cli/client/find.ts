import { nearest } from '../../config/suggest.ts';
import type { Json } from '../../world.ts';
import { allOf, originalOf, serverOf } from './items.ts';
import type { Visit } from './visit.ts';

/** What a name on the command line stands for. */
export interface Found {
  /** The name to send; one that is in no list is left to the gateway, which may know better. */
  readonly name: string;
  /** Undefined when it is in no list. */
  readonly item: Json | undefined;
  /** Says what may have been meant, for a name that turns out to be unknown; else empty. */
  readonly advice: string;
}

/** Finds a tool or prompt by `server/name`, by its exposed name, or by its own name if only one server has it. */
export async function find(kind: 'tools' | 'prompts', wanted: string, visit: Visit): Promise<Found> {
  const { items } = await allOf(kind, visit);
  const known = items.find(({ name }) => name === wanted) ?? (await ofServer(wanted, items, visit)) ?? bare(wanted, items);
  if (known) return { name: String(known.name), item: known, advice: '' };
  const names = items.flatMap((item) => [longName(item), String(item.name), originalOf(item)]);
  const guess = nearest(wanted, [...new Set(names)]);
  const advice = guess === undefined ? `see onemcp ${kind}` : `did you mean "${guess}"?`;
  return { name: unlisted(wanted), item: undefined, advice };
}

const longName = (item: Json): string => (serverOf(item) === '' ? originalOf(item) : `${serverOf(item)}/${originalOf(item)}`);

/** `server/name`, the server by its namespace or by its name in the configuration. */
async function ofServer(wanted: string, items: readonly Json[], { status }: Visit): Promise<Json | undefined> {
  const parts = split(wanted);
  if (!parts) return undefined;
  const [server, rest] = parts;
  const among = (namespace: string) => {
    const own = items.filter((item) => serverOf(item).toLowerCase() === namespace.toLowerCase());
    return own.find((item) => originalOf(item) === rest) ?? own.find(({ name }) => name === rest);
  };
  const found = among(server);
  if (found || items.some((item) => serverOf(item).toLowerCase() === server.toLowerCase())) return found;
  const namespace = (await status())?.servers.find(({ name }) => name === server)?.namespace;
  return namespace === undefined ? undefined : among(namespace);
}

/** The one that has it; of several none, for the gateway to name them. */
function bare(wanted: string, items: readonly Json[]): Json | undefined {
  const [only, ...others] = items.filter((item) => originalOf(item) === wanted);
  return others.length === 0 ? only : undefined;
}

function split(wanted: string): readonly [server: string, rest: string] | undefined {
  const slash = wanted.indexOf('/');
  return slash > 0 && slash < wanted.length - 1 ? [wanted.slice(0, slash), wanted.slice(slash + 1)] : undefined;
}

/** How a gateway would expose it. */
function unlisted(wanted: string): string {
  const parts = split(wanted);
  return parts ? parts.join('__') : wanted;
}
