import { nearest } from '../../config/suggest.ts';
import { OnemcpError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { notUsed } from '../../observe/status.ts';
import type { Json } from '../../world.ts';
import { EXIT } from '../process.ts';
import { allOf, type Listed, noteMissing, serverOf } from './items.ts';
import { firstLine, printJson, printTable } from './print.ts';
import { type ClientFlags, type Visit, type Visiting, visit } from './visit.ts';

export interface ListFlags extends ClientFlags {
  /** Only what this server has. */
  readonly server?: string | undefined;
}

export type ListCommand = 'tools' | 'prompts' | 'resources';

/** `onemcp tools|prompts|resources [FILE]`: what clients see, as a table or as the gateway lists it. */
export async function list(what: ListCommand, visiting: Visiting<ListFlags>): Promise<number> {
  const { flags, ports } = visiting;
  return visit(visiting, async (open) => {
    const here = await open();
    const found = await allOf(what, here);
    const templates = what === 'resources' ? await allOf('templates', here) : undefined;
    const all: Listed = { items: [...found.items, ...(templates?.items ?? [])], partial: found.partial };
    const shown = flags.server === undefined ? all : await ofServer(flags.server, all, here);
    if (flags.json) printJson(ports.stdout, shown.items);
    else if (shown.items.length > 0) printTable([HEADS[what], ...shown.items.map(ROWS[what])], ports);
    else ports.stderr.write(`there are no ${what}\n`);
    noteMissing(shown, ports);
    return EXIT.ok;
  });
}

const HEADS: Readonly<Record<ListCommand, readonly string[]>> = {
  tools: ['NAME', 'SERVER', 'DESCRIPTION'],
  prompts: ['NAME', 'SERVER', 'ARGUMENTS', 'DESCRIPTION'],
  resources: ['URI', 'SERVER', 'TYPE', 'NAME'],
};

const ROWS: Readonly<Record<ListCommand, (item: Json) => readonly string[]>> = {
  tools: (item) => [String(item.name), serverOf(item), firstLine(item.description ?? item.title)],
  prompts: (item) => [String(item.name), serverOf(item), argumentNames(item), firstLine(item.description ?? item.title)],
  resources: (item) => [String(item.uri ?? item.uriTemplate), serverOf(item), firstLine(item.mimeType), firstLine(item.name)],
};

/** `title [style]`: what may be left out is in brackets. */
function argumentNames({ arguments: list }: Json): string {
  if (!Array.isArray(list)) return '';
  return list
    .filter(isObject)
    .map(({ name, required }) => (required ? String(name) : `[${name}]`))
    .join(' ');
}

/** @throws OnemcpError `unknown_server` */
async function ofServer(name: string, { items, partial }: Listed, { status }: Visit): Promise<Listed> {
  const wanted = name.toLowerCase();
  const known = new Map(
    [...items.map(serverOf), ...partial.keys()].filter(Boolean).map((namespace) => [namespace.toLowerCase(), namespace]),
  );
  const named = known.get(wanted) ?? (await namespaceOf(name, [...known.values()], status));
  return {
    items: items.filter((item) => serverOf(item) === named),
    partial: new Map([...partial].filter(([server]) => server === named)),
  };
}

/** The namespace of a server by its name in the configuration. */
async function namespaceOf(name: string, listed: readonly string[], status: Visit['status']): Promise<string> {
  const document = await status();
  const servers = document?.servers ?? [];
  const shown = JSON.stringify(name.slice(0, 64));
  const off = document && notUsed(document.configuration, name);
  if (off !== undefined) throw new OnemcpError('unknown_server', `server ${shown} ${off}`);
  const server = servers.find((candidate) => candidate.name === name || candidate.namespace === name);
  if (server) return server.namespace ?? server.name;
  const names = servers.length > 0 ? servers.map((candidate) => candidate.name) : listed;
  const guess = nearest(name, names);
  const hint = guess === undefined ? `there are ${names.join(', ') || 'none'}` : `did you mean "${guess}"?`;
  throw new OnemcpError('unknown_server', `there is no server ${shown}; ${hint}`);
}
