/** A configuration of several files on one another: what it `extends`, itself, and the overlay of an environment. */
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import type { Issue } from './config.ts';
import { readConfigFile } from './file.ts';
import type { Path, Problem } from './issue.ts';
import { type Document, parseDocument } from './parse.ts';

/** One file of it. */
export interface Sheet {
  /** As issues show it. */
  readonly file: string;
  readonly document: Document;
}

export interface Stack {
  /** All files as one: values are merged, places name their files. Undefined when a file is missing or no JSON. */
  readonly document: Document | undefined;
  /** From the lowest to the highest. */
  readonly sheets: readonly Sheet[];
  /** Of files that cannot be read, or are no JSON. */
  readonly issues: readonly Issue[];
  /** The text of every file besides the given one, by its absolute path; undefined: it cannot be read. */
  readonly texts: ReadonlyMap<string, string | undefined>;
}

export interface StackOptions extends Sheet {
  /** Folder that a relative `file` is in. */
  readonly base: string;
  /** Whose overlay is wanted: `production` for `mcp.production.json`. */
  readonly environment: string | undefined;
}

/** More than anybody wants. */
const DEEPEST = 8;
const ENVIRONMENT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Reads the other files of a configuration. Never throws. */
export async function stackOf({ file, document, base, environment }: StackOptions): Promise<Stack> {
  const reading: Reading = { base, issues: [], texts: new Map() };
  const own = { file, document };
  const sheets = [...(await below(own, [file], reading)), own, ...(environment ? await overlay(file, environment, reading) : [])];
  const whole = sheets.length === 1 ? document : merged(sheets, own);
  return { document: reading.issues.length === 0 ? whole : undefined, sheets, issues: reading.issues, texts: reading.texts };
}

/** The text of a configuration with everything that it is made of; as it is where that cannot be told. Never throws. */
export async function wholeText(text: string, options: Omit<StackOptions, 'document'>): Promise<string> {
  const { document } = parseDocument(text);
  if (!document) return text;
  const { document: whole, sheets } = await stackOf({ ...options, document });
  return whole && sheets.length > 1 ? JSON.stringify(whole.value) : text;
}

interface Reading {
  readonly base: string;
  readonly issues: Issue[];
  readonly texts: Map<string, string | undefined>;
}

/** What a file extends, the lowest first: later ones of a list are over earlier ones. */
async function below({ file, document }: Sheet, chain: readonly string[], reading: Reading): Promise<Sheet[]> {
  const sheets: Sheet[] = [];
  for (const { name, path } of namesOf(document.value)) {
    const other = beside(file, name);
    const place = document.locate({ path, at: 'value', message: '' });
    const complain = (message: string) => reading.issues.push({ file, ...place, path: 'extends', message });
    const links = [...chain, other];
    if (isAmong(other, chain, reading.base)) complain(`${links.join(' → ')}: these extend one another; remove one of the "extends"`);
    else if (chain.length > DEEPEST) complain(`more than ${DEEPEST} files extend one another`);
    else {
      const sheet = await sheetOf(other, reading, (message) => complain(`${other}: ${message}`));
      if (sheet) sheets.push(...(await below(sheet, links, reading)), sheet);
    }
  }
  return sheets;
}

const isAmong = (file: string, files: readonly string[], base: string): boolean =>
  files.some((other) => resolve(base, other) === resolve(base, file));

/** Anything but texts is for the check of the shape to refuse. */
function namesOf(value: unknown): readonly { readonly name: string; readonly path: Path }[] {
  const written = (value as { readonly extends?: unknown } | null | undefined)?.extends;
  const all: readonly (readonly [unknown, Path])[] = Array.isArray(written)
    ? written.map((name, index) => [name, ['extends', index]] as const)
    : [[written, ['extends']]];
  return all.flatMap(([name, path]) => (typeof name === 'string' && name !== '' ? [{ name, path }] : []));
}

async function overlay(file: string, environment: string, reading: Reading): Promise<Sheet[]> {
  if (!ENVIRONMENT.test(environment)) {
    reading.issues.push({ file: 'ONEMCP_ENV', message: 'the name of an environment (--env) has 1 to 64 letters, digits, "_" and "-"' });
    return [];
  }
  const name = overlayOf(file, environment);
  const complain = (message: string) =>
    reading.issues.push({ file: name, message: `${message} (it is the overlay of --env ${environment}, or ONEMCP_ENV)` });
  const sheet = await sheetOf(name, reading, complain);
  return sheet ? [...(await below(sheet, [file, name], reading)), sheet] : [];
}

/** `mcp.json` → `mcp.production.json` */
function overlayOf(file: string, environment: string): string {
  const ending = extname(file);
  return beside(file, `${basename(file, ending)}.${environment}${ending}`);
}

async function sheetOf(file: string, reading: Reading, complain: (message: string) => void): Promise<Sheet | undefined> {
  const read = await readConfigFile(file, reading.base);
  reading.texts.set(resolve(reading.base, file), read.ok ? read.text : undefined);
  if (!read.ok) {
    // What to do about it is different here.
    for (const { message } of read.issues) complain(message.replace(/;.*$/s, ''));
    return undefined;
  }
  const { document, problems, positionOf } = parseDocument(read.text);
  for (const problem of problems) {
    reading.issues.push({ file, ...(document?.locate(problem) ?? positionOf(problem.offset ?? 0)), message: problem.message });
  }
  return document && { file, document };
}

const beside = (file: string, name: string): string => (isAbsolute(name) ? name : join(dirname(file), name));

function merged(sheets: readonly Sheet[], own: Sheet): Document {
  const at = (sheet: Sheet | undefined, problem: Problem) => {
    const { file, document } = sheet ?? own;
    return { ...document.locate(problem), file };
  };
  const having = ({ path }: Problem) => sheets.filter(({ document }) => has(document.value, path));
  return {
    value: sheets.reduce<unknown>((lower, { document }) => over(lower, document.value), undefined),
    // Only problems of the parser have an offset, and those of other files have their places already.
    locate: (problem) => at(problem.offset === undefined ? having(problem).at(-1) : own, problem),
    locateFirst: (problem) => ({ ...at(having(problem)[0], problem), sheet: sheets.indexOf(having(problem)[0] ?? own) }),
  };
}

/** Plain objects key by key, anything else as a whole; `null` takes away what is below it. */
function over(lower: unknown, upper: unknown): unknown {
  if (!isTree(lower) || !isTree(upper)) return upper;
  const both: Record<string, unknown> = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    if (value === null && Object.hasOwn(lower, key)) delete both[key];
    else both[key] = Object.hasOwn(lower, key) ? over(lower[key], value) : value;
  }
  return both;
}

/** Whether there is something at a path of plain data. */
export function has(tree: unknown, [key, ...rest]: Path): boolean {
  if (key === undefined) return true;
  return typeof tree === 'object' && tree !== null && Object.hasOwn(tree, key) && has((tree as Record<string, unknown>)[key], rest);
}

const isTree = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
