/** Servers of another product's file, merged into the text of one of ours. */
import { dirname, resolve } from 'node:path';
import type { Issue, Sources } from './config.ts';
import { withServer } from './edit.ts';
import { adopt, serverPlaces } from './foreign.ts';
import { type Entry, isEntry } from './foreignKeys.ts';
import { type Product, TITLES } from './foreignText.ts';
import { formatPath } from './issue.ts';
import { slug } from './names.ts';
import { parseDocument } from './parse.ts';

export type { Product } from './foreignText.ts';
export { TITLES } from './foreignText.ts';

export interface Source extends Sources {
  readonly product: Product;
  /** As the user knows it: notes show it like this. */
  readonly file: string;
  readonly text: string;
  /** Working directory, absolute. */
  readonly base: string;
  /** What becomes of a server whose name is taken by another one: it gets a new name, or nothing is imported. */
  readonly onConflict: 'rename' | 'fail';
}

/** What was imported. */
export interface Imported {
  readonly text: string;
  /** Names in the source, with those that they got. */
  readonly added: readonly { readonly name: string; readonly as: string }[];
  /** Names of servers that were there already. */
  readonly skipped: readonly string[];
  /** What means something else here. */
  readonly notes: readonly Issue[];
}

/** @throws Error what is wrong with one of the files */
export async function importServers(target: string, source: Source): Promise<Imported> {
  const { file, base, product, onConflict } = source;
  const { document, problems, positionOf } = parseDocument(source.text);
  const [problem] = problems;
  if (!document || problem) {
    const { line, column } = problem?.offset === undefined ? { line: 1, column: 1 } : positionOf(problem.offset);
    throw new Error(`${file}:${line}:${column}: ${problem?.message ?? 'this is not JSON'}`);
  }
  const path = resolve(base, file);
  const { value, notes, origin } = await adopt(document.value, { ...source, file: path, folder: dirname(path), product, keeps: true });
  const found = serverPlaces(value)[0]?.servers;
  if (!found) throw new Error(`${file} has no servers of ${TITLES[product]}`);

  const names = inOrder(Object.keys(found), (name) => document.locate({ path: origin(['mcpServers', name]), at: 'key', message: '' }));
  const merging = createMerging(target);
  for (const name of names) merging.take(name, found[name], onConflict);
  const left =
    isEntry(value) && value.serverDefaults !== undefined
      ? [{ path: ['serverDefaults'], at: 'key' as const, message: 'not imported; write it into the file yourself' }]
      : [];
  const located = [...left, ...notes].map(
    (note): Issue => ({ file, ...document.locate(note), path: formatPath(note.path), message: note.message }),
  );
  located.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return { ...merging.result(), notes: located };
}

function inOrder(
  names: readonly string[],
  locate: (name: string) => { readonly line: number; readonly column: number },
): readonly string[] {
  const placed = names.map((name) => ({ name, place: locate(name) }));
  placed.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  return placed.map(({ name }) => name);
}

const LONGEST_NAME = 64;

function createMerging(target: string) {
  let text = target;
  const servers = new Map<string, unknown>();
  const spaces = new Set<string>();
  const added: { name: string; as: string }[] = [];
  const skipped: string[] = [];
  const know = (name: string, entry: unknown) => {
    servers.set(name, entry);
    spaces.add(spaceOf(name, entry));
  };
  for (const place of serverPlaces(parseDocument(target).document?.value)) {
    for (const [name, entry] of Object.entries(place.servers)) know(name, entry);
  }

  return {
    take(name: string, entry: unknown, onConflict: Source['onConflict']) {
      if (!isEntry(entry)) throw new Error(`server ${JSON.stringify(name)} is not an object`);
      const isThere = (other: string) => servers.has(other) && isSame(servers.get(other), entry);
      const candidates = Array.from({ length: servers.size + 2 }, (_, index) => (index === 0 ? name : numbered(name, index + 1)));
      if (candidates.some(isThere)) return void skipped.push(name);
      if (servers.has(name) && onConflict === 'fail') {
        throw new Error(
          `there is already another server ${JSON.stringify(name)}; without --on-conflict fail it would be imported under a new name`,
        );
      }
      const as = candidates.find((other) => !servers.has(other)) as string;
      const own = withFreeSpace(as, entry, spaces);
      text = withServer(text, as, own);
      know(as, own);
      added.push({ name, as });
    },
    result: () => ({ text, added, skipped }),
  };
}

const numbered = (name: string, number: number): string => `${name.slice(0, LONGEST_NAME - 5)}-${number}`;

/** Namespaces that differ only in case are the same. */
const spaceOf = (name: string, entry: unknown): string =>
  (isEntry(entry) && typeof entry.namespace === 'string' ? entry.namespace : slug(name)).toLowerCase();

/** With a namespace of its own where the name would give it that of another server, or none. */
function withFreeSpace(name: string, entry: Entry, taken: ReadonlySet<string>): Entry {
  const wanted = spaceOf(name, entry);
  if (wanted !== '' && !taken.has(wanted)) return entry;
  const stem = wanted === '' ? 'server' : wanted.slice(0, 28);
  let number = 2;
  while (taken.has(`${stem}-${number}`)) number++;
  return { ...entry, namespace: `${stem}-${number}` };
}

/** Whether two entries describe the same server, whatever the order of their keys; whether it is switched off does not count. */
function isSame(a: unknown, b: unknown): boolean {
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    if (!isEntry(value)) return value;
    return Object.keys(value)
      .sort()
      .map((key) => [key, plain(value[key])]);
  };
  const text = (value: unknown) => {
    if (!isEntry(value)) return '';
    const { disabled: _disabled, namespace: _namespace, ...rest } = value;
    return JSON.stringify(plain(rest));
  };
  return text(a) === text(b);
}
