import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { nearest } from '../../config/suggest.ts';
import { isObject } from '../../json.ts';
import { columns } from '../../observe/text.ts';
import type { Json } from '../../world.ts';
import type { ProcessPorts } from '../process.ts';
import { convert } from './convert.ts';
import { firstLine } from './print.ts';
import { shapeText } from './shape.ts';
import { UsageError } from './visit.ts';

/** `key=value` as it was typed, in groups of equal keys. @throws UsageError */
export function pairsOf(texts: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const pairs = new Map<string, string[]>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`arguments are key=value, not ${JSON.stringify(text.slice(0, 60))}; JSON is given with --args`);
    const key = text.slice(0, at);
    pairs.set(key, [...(pairs.get(key) ?? []), text.slice(at + 1)]);
  }
  return pairs;
}

/** The object of `--args`: JSON, `@file` or `-` for stdin. @throws UsageError */
export async function jsonArguments(given: string | undefined, { stdin, cwd }: Pick<ProcessPorts, 'stdin' | 'cwd'>): Promise<Json> {
  if (given === undefined) return {};
  const text = given === '-' ? await wholeOf(stdin) : given.startsWith('@') ? await fileText(resolve(cwd, given.slice(1))) : given;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--args is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw new UsageError('--args has to be a JSON object, such as {"text":"hello"}');
  return value;
}

async function wholeOf(stdin: ProcessPorts['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

const fileText = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: Error) => {
    throw new UsageError(`--args: ${error.message}`);
  });

export interface Wanted {
  /** What is called, for messages. */
  readonly name: string;
  /** JSON schema of its arguments; undefined when it is not known. */
  readonly schema: unknown;
}

/**
 * The arguments of a call: those of `--args` as they are, and over them the pairs, converted by the schema.
 * @throws UsageError that names everything that is wrong, and what there is
 */
export function argumentsFor({ name, schema }: Wanted, pairs: ReadonlyMap<string, readonly string[]>, base: Json): Json {
  const known = propertiesOf(schema);
  const values = new Map(Object.entries(base));
  const problems: string[] = [];
  for (const [key, texts] of pairs) {
    const property = known && Object.hasOwn(known, key) ? known[key] : undefined;
    if (property === undefined && known && !isOpen(schema)) {
      problems.push(unknown(key, Object.keys(known)));
      continue;
    }
    const converted = convert(texts, property, schema);
    if ('value' in converted) values.set(key, converted.value);
    else problems.push(`${key} has to be ${converted.expected}`);
  }
  for (const key of requiredOf(schema)) {
    // One that was given, and is wrong, is not missing.
    if (!values.has(key) && !pairs.has(key)) problems.push(`${key} is missing`);
  }
  if (problems.length > 0) throw new UsageError(`${name}: ${problems.join('; ')}${described(name, schema)}`);
  return Object.fromEntries(values);
}

function unknown(key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  const shown = JSON.stringify(key.slice(0, 60));
  if (guess !== undefined) return `there is no argument ${shown}, did you mean "${guess}"?`;
  return known.length === 0 ? `it takes no arguments, so not ${shown} either` : `there is no argument ${shown}`;
}

/** Undefined when the schema says nothing of them. */
const propertiesOf = (schema: unknown): Json | undefined =>
  isObject(schema) && isObject(schema.properties) ? schema.properties : undefined;

const requiredOf = (schema: unknown): readonly string[] =>
  isObject(schema) && Array.isArray(schema.required) ? schema.required.filter((key) => typeof key === 'string') : [];

/** JSON schemas are open unless they say otherwise; those of tools hardly ever mean it, so they have to say that they are. */
const isOpen = (schema: unknown): boolean =>
  isObject(schema) && (schema.additionalProperties === true || isObject(schema.additionalProperties) || isObject(schema.patternProperties));

const LONGEST_HELP = 80;

/** What there is to give, one argument a line. */
function described(name: string, schema: unknown): string {
  const properties = Object.entries(propertiesOf(schema) ?? {});
  if (properties.length === 0) return '';
  const required = new Set(requiredOf(schema));
  const rows = properties.map(([key, property]) => [
    `  ${key}`,
    shapeText(property, schema),
    required.has(key) ? 'required' : '',
    firstLine(isObject(property) ? (property.description ?? property.title) : '').slice(0, LONGEST_HELP),
  ]);
  return `\narguments of ${name}:\n${columns(rows).join('\n')}`;
}

/** The schema that the arguments of a prompt would have: all are texts. MCP server/prompts. */
export function promptSchema({ arguments: list }: Json): Json {
  const named = (Array.isArray(list) ? list : []).filter((item): item is Json => isObject(item) && typeof item.name === 'string');
  return {
    properties: Object.fromEntries(named.map(({ name, description }) => [name, { type: 'string', description }])),
    required: named.filter(({ required }) => required === true).map(({ name }) => name),
  };
}
