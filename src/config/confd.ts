/** `conf.d`: folders of files that each hold further servers. */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Issue } from './config.ts';
import { readConfigFile } from './file.ts';
import type { FoundServer, KeptFiles } from './found.ts';
import { byPosition, formatPath, type Path, type Problem } from './issue.ts';
import { type Document, parseDocument } from './parse.ts';
import { fileSchema, serverSchema } from './schema.ts';
import { complaintsOf } from './shape.ts';

export const CONF_D = 'conf.d';

export interface Confd {
  /** In the order of the folders, then of the names of the files. */
  readonly servers: readonly FoundServer[];
  /** Of files and folders that cannot be read, or have mistakes; what they said before is among the servers. */
  readonly issues: readonly Issue[];
  /** What is no mistake, but worth a word. */
  readonly notes: readonly Issue[];
  /** The texts that were read, by folder and absolute path. */
  readonly texts: ReadonlyMap<string, FolderTexts>;
}

type FolderTexts = ReadonlyMap<string, string | undefined>;

export interface ConfdOptions {
  /** As the user wrote them, beside the configuration file: issues show them like this. */
  readonly folders: readonly string[];
  /** Folder that relative ones are in. */
  readonly base: string;
  readonly kept: KeptFiles;
}

/** More than anybody wants. */
const MOST_FILES = 1_000;

const wholeSchema = z.strictObject({ $schema: z.string().optional(), mcpServers: fileSchema.shape.mcpServers });
const entrySchema = serverSchema.extend({ $schema: z.string().optional() });

/** Reads all files. Never throws: a file with mistakes goes on saying what it said before. */
export async function readConfd({ folders, base, kept }: ConfdOptions): Promise<Confd> {
  const servers: FoundServer[] = [];
  const issues: Issue[] = [];
  const notes: Issue[] = [];
  const texts = new Map<string, FolderTexts>();
  const seen = new Set<string>();
  for (const folder of new Set(folders)) {
    const absolute = resolve(base, folder);
    const { files, problem, missing } = await filesOf(absolute);
    texts.set(absolute, new Map(files.map(({ path, text }) => [path, text])));
    if (missing) notes.push({ file: folder, message: 'there is no such folder yet; servers in it are found once it is there' });
    if (problem !== undefined) {
      issues.push({ file: folder, message: problem });
      for (const [path, before] of kept) {
        if (!path.startsWith(join(absolute, '/'))) continue;
        seen.add(path);
        servers.push(...before);
      }
    }
    for (const { name, path, text, problem: unread } of files) {
      const file = join(folder, name);
      const read = text === undefined ? { servers: [], issues: [{ file, message: unread ?? 'it cannot be read' }] } : serversOf(file, text);
      if (read.issues.length === 0) kept.set(path, read.servers);
      issues.push(...withFate(read.issues, kept.has(path)));
      seen.add(path);
      servers.push(...(kept.get(path) ?? []));
    }
  }
  for (const path of kept.keys()) if (!seen.has(path)) kept.delete(path);
  return { servers, issues, notes, texts };
}

/** Says with the first of them what becomes of the file. */
function withFate([first, ...more]: readonly Issue[], isKept: boolean): readonly Issue[] {
  const fate = isKept ? 'what the file said before stays in force' : 'nothing of the file is used';
  return first ? [{ ...first, message: `${first.message} (${fate} until it is right)` }, ...more] : [];
}

/** The texts of one folder, to see whether they are still the same. Never rejects. */
export async function confdTexts(folder: string): Promise<FolderTexts> {
  const { files } = await filesOf(folder);
  return new Map(files.map(({ path, text }) => [path, text]));
}

interface ConfdFile {
  readonly name: string;
  readonly path: string;
  readonly text: string | undefined;
  readonly problem?: string | undefined;
}

interface Listing {
  /** By name. */
  readonly files: readonly ConfdFile[];
  readonly problem?: string;
  readonly missing?: true;
}

async function filesOf(folder: string): Promise<Listing> {
  let found: Dirent[];
  try {
    found = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { files: [], missing: true };
    return { files: [], problem: code === 'ENOTDIR' ? 'this is not a folder; name a folder' : `the folder cannot be read: ${message}` };
  }
  const wanted = found.filter((entry) => /^[^.].*\.jsonc?$/.test(entry.name) && (entry.isFile() || entry.isSymbolicLink()));
  const names = wanted.map(({ name }) => name).sort();
  const files = await Promise.all(names.slice(0, MOST_FILES).map((name) => fileOf(name, join(folder, name))));
  const tooMany = names.length > MOST_FILES ? { problem: `there are more than ${MOST_FILES} files; the others are not read` } : {};
  return { files: files.filter((file) => file !== undefined), ...tooMany };
}

/** Undefined: it has gone meanwhile, or is nothing that can be read without harm, such as a pipe. */
async function fileOf(name: string, path: string): Promise<ConfdFile | undefined> {
  try {
    if (!(await stat(path)).isFile()) return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return { name, path, text: undefined };
    // A link that leads nowhere says nothing any more, like a file that was deleted.
    return undefined;
  }
  const read = await readConfigFile(path);
  return read.ok ? { name, path, text: read.text } : { name, path, text: undefined, problem: read.issues[0]?.message };
}

/** The servers of one file, or what is wrong with it. */
function serversOf(file: string, text: string): { readonly servers: readonly FoundServer[]; readonly issues: readonly Issue[] } {
  const { document, problems, positionOf } = parseDocument(text);
  if (!document) return { servers: [], issues: problems.map(({ message, offset = 0 }) => ({ file, ...positionOf(offset), message })) };
  const { value } = document;
  const isWhole = isTree(value) && Object.hasOwn(value, 'mcpServers');
  const wrong = [...problems, ...complaints(value, isWhole)];
  if (wrong.length > 0) return { servers: [], issues: wrong.map((problem) => issueOf(file, document, problem)).sort(byPosition) };
  const { $schema: _, ...own } = value as Readonly<Record<string, unknown>>;
  const name = file.slice(0, -extname(file).length).replace(/^.*[/\\]/, '');
  const entries = isWhole ? (own.mcpServers as Readonly<Record<string, Entry>>) : { [name]: own };
  const servers = Object.entries(entries).map(([key, entry]): FoundServer => {
    const pathOf = ({ path }: Problem): Path => (isWhole ? path : path.slice(2));
    const { line } = document.locate({ path: ['mcpServers', key], at: 'key', message: '' });
    return {
      source: CONF_D,
      name: key,
      entry,
      place: isWhole ? `${file}:${line}` : file,
      issueOf: (problem) => issueOf(file, document, { ...problem, path: pathOf(problem) }),
    };
  });
  return { servers, issues: [] };
}

type Entry = Readonly<Record<string, unknown>>;

function complaints(value: unknown, isWhole: boolean): readonly Problem[] {
  if (isWhole) return complaintsOf(wholeSchema, value);
  if (isTree(value) && !Object.hasOwn(value, 'command') && !Object.hasOwn(value, 'url')) {
    const message = 'expected { "mcpServers": { … } }, or one server with "command" or "url"';
    return [{ path: [], at: 'value', message }];
  }
  return complaintsOf(entrySchema, value);
}

function issueOf(file: string, document: Document, problem: Problem): Issue {
  const path = formatPath(problem.path);
  return { file, ...document.locate(problem), ...(path !== '' && { path }), message: problem.message };
}

const isTree = (value: unknown): value is Entry => typeof value === 'object' && value !== null && !Array.isArray(value);
