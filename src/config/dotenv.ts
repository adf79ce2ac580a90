/** `.env` beside the configuration: variables for templates, secrets and settings, under those of the real environment. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Issue } from './config.ts';

type Env = Readonly<Record<string, string | undefined>>;

interface Parsed {
  readonly values: Readonly<Record<string, string>>;
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

/** A file with more is something else. */
const LARGEST = 1024 * 1024;

const NOTHING = /[^\S\n]*(?:#[^\n]*)?(?:\n|$)/y;
const ENTRY =
  /[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_]*)[^\S\n]*=(?:[^\S\n]*(?:"((?:[^"\\]|\\[\s\S])*)"|'([^']*)')[^\S\n]*(?:#[^\n]*)?|([^\n]*))(?:\n|$)/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * `NAME=value` a line, as dotenv and Compose read it: `export` before it, `#` comments, values in single quotes as they are, in
 * double quotes with `\n`, `\r`, `\t` and over several lines, others without the spaces around them and up to ` #`.
 * A `$` means nothing. The last of several equal names wins.
 */
export function parseDotEnv(source: string): Parsed {
  const text = source.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const values = new Map<string, string>();
  const problems: { line: number; message: string }[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const entry = matched(ENTRY, text, at);
    const value = entry ? textOf(entry) : undefined;
    if (entry && value !== undefined) values.set(entry[1] as string, value);
    const known = entry && value !== undefined ? entry : matched(NOTHING, text, at);
    if (!known) problems.push({ line, message: complaint(entry) });
    const end = text.indexOf('\n', at);
    const next = known ? at + known[0].length : end < 0 ? text.length : end + 1;
    for (let newline = end; newline >= 0 && newline < next; newline = text.indexOf('\n', newline + 1)) line++;
    at = next;
  }
  return { values: Object.fromEntries(values), problems };
}

function matched(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** Undefined: it begins with a quote that is not closed, or goes on after it. */
function textOf([, , double, single, plain = '']: RegExpExecArray): string | undefined {
  if (double !== undefined) return double.replace(/\\([\s\S])/g, (_, character: string) => ESCAPES[character] ?? character);
  if (single !== undefined) return single;
  const value = plain.replace(/\s#.*$/, '').trim();
  return /^["']/.test(value) ? undefined : value;
}

const complaint = (entry: RegExpExecArray | null): string =>
  entry
    ? `the value of ${entry[1]} begins with a quote and does not end with it; the line is left out`
    : 'expected NAME=value; the line is left out';

/** The environment of one configuration. */
export interface Environment {
  /** The real one, with what only `.env` has. */
  readonly env: Env;
  /** Names that are from `.env`. */
  readonly beside: ReadonlySet<string>;
  /** Of `.env`; undefined: there is none. */
  readonly text: string | undefined;
  readonly warnings: readonly Issue[];
}

/** Where the `.env` of a configuration is. */
export const dotEnvOf = (file: string): string => join(dirname(file), '.env');

/** Reads the `.env` in the folder of `file`, which may be relative to `base`. Never throws: what cannot be read is a warning. */
export async function environmentOf(file: string, env: Env, base = ''): Promise<Environment> {
  const shown = dotEnvOf(file);
  const none = { env, beside: new Set<string>(), text: undefined };
  try {
    const path = resolve(base, shown);
    const { size, isFile } = await statOf(path);
    if (!isFile) return { ...none, warnings: [] };
    if (size > LARGEST) return { ...none, warnings: [{ file: shown, message: 'larger than 1 MiB; it is not read' }] };
    const text = await readFile(path, 'utf8');
    const { values, problems } = parseDotEnv(text);
    const beside = new Set(Object.keys(values).filter((name) => !Object.hasOwn(env, name) || env[name] === undefined));
    const warnings = problems.map(({ line, message }) => ({ file: shown, line, message }));
    return { env: { ...env, ...Object.fromEntries([...beside].map((name) => [name, values[name]])) }, beside, text, warnings };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    return { ...none, warnings: isMissing ? [] : [{ file: shown, message: `cannot be read: ${message}` }] };
  }
}

async function statOf(path: string): Promise<{ readonly size: number; readonly isFile: boolean }> {
  const stats = await stat(path);
  return { size: stats.size, isFile: stats.isFile() };
}
