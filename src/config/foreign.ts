/**
 * Files of other products, as they are: Claude Desktop, Cursor, VS Code, 1MCP. What means the same is translated, what we do
 * otherwise or not at all becomes a note; a file of ours passes unchanged.
 */
import { basename, dirname } from 'node:path';
import { limitsWith } from '../limits.ts';
import type { SecretReader, Sources } from './config.ts';
import { readConfigFile } from './file.ts';
import { translatedEntry } from './foreignEntry.ts';
import { type Entry, isEntry, type Surroundings } from './foreignKeys.ts';
import { inputSecret, literal, type Product, TITLES } from './foreignText.ts';
import type { Path, Problem } from './issue.ts';
import { fileSchema } from './schema.ts';
import { secretSettings } from './secrets.ts';
import { stateDirOf } from './stateDir.ts';
import { nearest } from './suggest.ts';

export interface AdoptOptions extends Sources {
  /** Absolute path, or a label such as `<memory>`. */
  readonly file: string;
  /** Folder of the file, absolute. */
  readonly folder: string;
  /** Folder in which onemcp was started, absolute: it stands for the project where the file does not tell. */
  readonly base: string;
  /** The product whose file it is; default: what the file looks like. */
  readonly product?: Product;
  /** For a file of ours that the servers are written into: variables stay variables. */
  readonly keeps?: boolean;
}

/** A file in our words. */
export interface Adopted {
  readonly value: unknown;
  readonly notes: readonly Problem[];
  /** Where in the file something was written that is elsewhere in `value`. */
  readonly origin: (path: Path) => Path;
}

/** Reads a parsed file as one of ours. Never fails: what is wrong stays, for the checks that follow. */
export async function adopt(value: unknown, options: AdoptOptions): Promise<Adopted> {
  if (!isEntry(value)) return { value, notes: [], origin: (path) => path };
  const { product, certain } = options.product ? { product: options.product, certain: true } : recognised(value, options.file);
  const around = await surroundings(value, options, { product, certain });
  const notes: Problem[] = [];
  const origins = new Map<string, Path>();
  const servers: Entry = {};
  const places = certain ? serverPlaces(value) : serverPlaces(value).filter(({ path }) => path[0] === 'mcpServers');
  for (const { path, servers: written } of places) {
    const isTemplate = path[0] === 'mcpTemplates';
    for (const [name, entry] of Object.entries(written)) {
      const here = [...path, name];
      const report = (message: string) => notes.push({ path: here, at: 'key', message });
      if (Object.hasOwn(servers, name)) {
        report('there is a server of this name in mcpServers too; this one is left out');
        continue;
      }
      origins.set(name, here);
      if (!isEntry(entry)) {
        servers[name] = entry;
        continue;
      }
      const translated = await translatedEntry(entry, around, isTemplate);
      servers[name] = translated.entry;
      if (entry.disabled === true && !options.keeps) continue;
      notes.push(...translated.notes.map((note) => ({ ...note, path: [...here, ...note.path] })));
    }
  }
  const origin = (path: Path): Path => {
    const own = path[0] === 'mcpServers' && typeof path[1] === 'string' ? origins.get(path[1]) : undefined;
    return own ? [...own, ...path.slice(2)] : path;
  };
  if (places.length === 0) return { value, notes, origin };
  const rest = certain ? topLevel(value, around, notes) : value;
  return { value: { ...rest, mcpServers: servers }, notes, origin };
}

/** Where a file keeps servers: its own place, then the templates of 1MCP. */
export function serverPlaces(value: unknown): readonly { readonly path: readonly string[]; readonly servers: Entry }[] {
  if (!isEntry(value)) return [];
  const own = [['mcpServers'], ['servers'], ['mcp', 'servers']].find((path) => at(value, path) !== undefined);
  return [own, ['mcpTemplates']].flatMap((path) => {
    const servers = path && at(value, path);
    return path && isEntry(servers) ? [{ path, servers }] : [];
  });
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isEntry(inner) ? inner[key] : undefined), value);

/** Keys of servers that only 1MCP knows. */
const KEYS_OF_1MCP = ['connectionTimeout', 'restartOnExit', 'maxRestarts', 'restartDelay', 'inheritParentEnv', 'envFilter', 'template'];

/** Whose file it is, by its name, its folder and what is in it. */
function recognised(value: Entry, file: string): { readonly product: Product | undefined; readonly certain: boolean } {
  const certainly = (product: Product) => ({ product, certain: true });
  const folder = basename(dirname(file));
  if (basename(file) === 'claude_desktop_config.json') return certainly('claude');
  if (value.mcpServers === undefined && (isEntry(value.servers) || isEntry(at(value, ['mcp', 'servers'])))) return certainly('vscode');
  if (folder === '.vscode') return certainly('vscode');
  if (folder === '.cursor') return certainly('cursor');
  const isOf1mcp = value.mcpTemplates !== undefined || value.templateSettings !== undefined || /1mcp/i.test(String(value.$schema ?? ''));
  if (isOf1mcp || /^\.?1mcp$/.test(folder)) return certainly('1mcp');
  const entries = Object.values(isEntry(value.mcpServers) ? value.mcpServers : {}).filter(isEntry);
  if (entries.some((entry) => KEYS_OF_1MCP.some((key) => entry[key] !== undefined))) return { product: '1mcp', certain: false };
  return { product: entries.length > 0 && speaksCursor(entries) ? 'cursor' : undefined, certain: false };
}

/** Whether all variables in it are written as Cursor writes them. */
function speaksCursor(entries: readonly Entry[]): boolean {
  const references = JSON.stringify(entries).match(/\$\{[^}"]*\}?/g) ?? [];
  return (
    references.length > 0 &&
    references.every((reference) => /^\$\{(?:env:\w+|userHome|workspaceFolder|workspaceFolderBasename)\}$/.test(reference))
  );
}

async function surroundings(
  value: Entry,
  { file, folder, base, env, secrets, keeps = false }: AdoptOptions,
  { product, certain }: { readonly product: Product | undefined; readonly certain: boolean },
): Promise<Surroundings> {
  const rooted = /^\.(?:vscode|cursor)$/.test(basename(dirname(file)));
  const workspace = rooted ? dirname(folder) : base;
  const inputs =
    product === 'vscode'
      ? await inputsOf(value.inputs ?? at(value, ['mcp', 'inputs']), await readerOf({ secrets, env, folder }))
      : new Map();
  const readText = async (path: string) => {
    const read = await readConfigFile(path);
    if (read.ok) return read.text;
    throw new Error(`${path} cannot be read`);
  };
  return { product, certain, env, workspace, inputs, rooted, folder: rooted ? workspace : folder, keeps, readText };
}

/** Files of other products do not say how secrets are read. */
async function readerOf({ secrets, env, folder }: Pick<AdoptOptions, 'secrets' | 'env' | 'folder'>): Promise<SecretReader> {
  if (typeof secrets !== 'function') return secrets;
  const unsaid = { shape: undefined, env, folder, stateDir: stateDirOf({ written: undefined, folder, env }), limits: limitsWith({}) };
  return secrets(await secretSettings({ ...unsaid, hidden: new Set() }, { problems: [], warnings: [] }));
}

/** The inputs that have a value: a secret of the same name, or a default. Nobody is there to be asked. */
async function inputsOf(inputs: unknown, secrets: SecretReader): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const input of Array.isArray(inputs) ? inputs.filter(isEntry) : []) {
    if (typeof input.id !== 'string') continue;
    const name = inputSecret(input.id);
    const value = await (async () => secrets.read(name))().catch(() => '');
    if (value !== '') found.set(input.id, `\${SECRET:${name}}`);
    else if (typeof input.default === 'string') found.set(input.id, literal(input.default));
  }
  return found;
}

/** Places that are read elsewhere, and settings of a whole application, which say nothing of servers. */
const SILENT: ReadonlySet<string> = new Set(['servers', 'inputs', 'mcp', 'mcpTemplates', 'version', '$schema']);
/** What our files have, also in files of others. */
const OURS: ReadonlySet<string> = new Set([...Object.keys(fileSchema.shape), 'serverDefaults']);

function topLevel(value: Entry, { product }: Surroundings, notes: Problem[]): Entry {
  const isApplication = product === 'claude' || value.mcp !== undefined;
  const kept = Object.entries(value).filter(([key]) => {
    if (key === '$schema') return false;
    if (OURS.has(key)) return true;
    if (SILENT.has(key) || isApplication) return false;
    const guess = nearest(key, [...OURS]);
    const hint =
      key === 'templateSettings'
        ? 'here templates are filled once, when the file is read'
        : `unknown key, ignored as in ${TITLES[product as Product]}`;
    notes.push({ path: [key], at: 'key', message: `${hint}${guess === undefined ? '' : `; did you mean "${guess}"?`}` });
    return false;
  });
  return Object.fromEntries(kept);
}
