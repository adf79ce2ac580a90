/** Compose files against the schema of the Compose Specification, alone and as Docker merges them (spec, "Merge"). */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { parseDocument, Scalar } from 'yaml';
import { read } from './layout.ts';

const require = createRequire(import.meta.url);
/** Folder of the linter, which brings the schema along. */
export const DCLINT = dirname(require.resolve('dclint/package.json'));

type Tree = Record<string, unknown>;

/** `!reset`: takes back what an earlier file says; Docker does so before it looks at the schema. */
const RESET = Symbol('reset');
const customTags = [
  { tag: '!reset', resolve: () => RESET },
  { tag: '!reset', collection: 'seq' as const, resolve: () => new Scalar(RESET) },
];

/** A file of the repository as it is written, with nothing filled in. */
export function composeOf(name: string): Tree {
  const document = parseDocument(read(name), { customTags });
  if (document.errors.length > 0) throw new Error(document.errors.map(({ message }) => message).join('\n'));
  return document.toJS() as Tree;
}

/** Several files given together. */
export const merged = (files: readonly Tree[]): Tree => withoutReset(files.reduce((all, next) => mergeOf(all, next))) as Tree;

/** Lists that a later file replaces; it adds to others. */
const REPLACED: ReadonlySet<string> = new Set(['command', 'entrypoint', 'test']);

function mergeOf(base: Tree, over: Tree): Tree {
  const all: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = all[key];
    if (isTree(old) && isTree(value)) all[key] = mergeOf(old, value);
    else if (Array.isArray(old) && Array.isArray(value) && !REPLACED.has(key)) all[key] = listOf(old, value);
    else all[key] = value;
  }
  return all;
}

/** A volume replaces another one at its place; a text is there once. */
function listOf(old: readonly unknown[], more: readonly unknown[]): readonly unknown[] {
  const id = (item: unknown) => (isTree(item) ? item.target : item);
  return [...old.filter((item) => !more.some((other) => id(other) === id(item))), ...more];
}

function withoutReset(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutReset);
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== RESET)
      .map(([key, inner]) => [key, withoutReset(inner)]),
  );
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

const { $schema: _, ...schema } = JSON.parse(readFileSync(join(DCLINT, 'schemas/compose.schema.json'), 'utf8')) as Tree;
// Draft 7, which Ajv takes by itself; it does not know the address with https that the schema gives.
const check = new Ajv({ allErrors: true, strict: false }).compile(schema);

/** What the schema says against it: where, and what; empty when it is right. */
export function composeFlaws(tree: Tree): readonly string[] {
  if (check(withoutReset(tree))) return [];
  return (check.errors ?? []).map(({ instancePath, message, params }) => {
    const { additionalProperty } = params as { additionalProperty?: string };
    return `${instancePath} ${message}${additionalProperty ? `: ${additionalProperty}` : ''}`;
  });
}
