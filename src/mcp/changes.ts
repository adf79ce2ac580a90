/** What a change of its tools means for the clients of a server. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../json.ts';
import type { Items, Json } from '../world.ts';

export interface ToolChange {
  /** As the server calls it. */
  readonly tool: string;
  /** `incompatible`: what was a good call or an expected result before may be none any longer. */
  readonly change: 'appears' | 'vanishes' | 'incompatible';
  /** One sentence, without the name of the tool. */
  readonly message: string;
}

type Say = (flaw: string) => void;

const DEEPEST = 32;
/** More about one tool is not read. */
const MOST_FLAWS = 5;
const LONGEST_NAME = 60;

/** Keywords that are compared as a whole: whether one of two such schemas is wider cannot be told by looking. */
const OPAQUE = [
  '$ref',
  '$defs',
  'definitions',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'pattern',
  'format',
  'propertyNames',
  'patternProperties',
  'dependentRequired',
  'dependentSchemas',
  'multipleOf',
  'uniqueItems',
  'prefixItems',
  'contains',
] as const;
const LEAST = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'] as const;
const MOST = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'] as const;
/** Text for people, which no program depends on. */
const ANNOTATIONS: ReadonlySet<string> = new Set(['title', 'description', 'examples', 'default', '$comment', 'deprecated']);
const ALL_TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string'] as const;

/**
 * What of the tools of a server appears, vanishes, or changes so that clients may fail: those that are gone first, then in the
 * order of the new list. Compatible changes are not named.
 */
export function toolChanges(before: Pick<Items, 'tools'>, after: Pick<Items, 'tools'>): ToolChange[] {
  const old = byName(before.tools);
  const now = byName(after.tools);
  const gone = [...old.keys()].filter((tool) => !now.has(tool));
  return [
    ...gone.map((tool): ToolChange => ({ tool, change: 'vanishes', message: 'it is gone' })),
    ...[...now].flatMap(([tool, definition]): ToolChange[] => {
      const known = old.get(tool);
      if (!known) return [{ tool, change: 'appears', message: 'it is new' }];
      const flaws = incompatibilities(known, definition);
      if (flaws.length === 0) return [];
      const more = flaws.length - MOST_FLAWS;
      const message = [...flaws.slice(0, MOST_FLAWS), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
      return [{ tool, change: 'incompatible', message }];
    }),
  ];
}

const byName = (tools: readonly Json[]): ReadonlyMap<string, Json> => new Map(tools.map((tool) => [String(tool.name), tool]));

function incompatibilities(before: Json, after: Json): string[] {
  const flaws: string[] = [];
  narrowed({ before: before.inputSchema, after: after.inputSchema, at: [] }, (flaw) => void flaws.push(flaw));
  if (before.outputSchema !== undefined) {
    if (after.outputSchema === undefined) flaws.push('it no longer says what its results look like');
    else if (!isDeepStrictEqual(essence(before.outputSchema), essence(after.outputSchema))) flaws.push('the form of its results changed');
  }
  return [...new Set(flaws)];
}

interface Pair {
  readonly before: unknown;
  readonly after: unknown;
  /** Names of properties from the root. */
  readonly at: readonly string[];
}

/** Says what was accepted before and is not any longer. */
function narrowed({ before, after, at }: Pair, say: Say): void {
  if (before === false || after === undefined || after === true || at.length > DEEPEST) return;
  if (after === false) return say(`${subject(at)} is not accepted any longer`);
  if (!isObject(after)) return;
  const old = isObject(before) ? before : {};
  if (isDeepStrictEqual(old, after)) return;
  typesNarrowed(old, after, { at, say });
  valuesNarrowed(old, after, { at, say });
  boundsNarrowed(old, after, { at, say });
  propertiesNarrowed(old, after, { at, say });
  if (after.items !== undefined) narrowed({ before: old.items, after: after.items, at: [...at, '[]'] }, say);
  for (const keyword of OPAQUE) {
    if (after[keyword] === undefined || isDeepStrictEqual(essence(old[keyword]), essence(after[keyword]))) continue;
    say(`"${keyword}" of ${subject(at)} changed`);
  }
}

interface Place {
  readonly at: readonly string[];
  readonly say: Say;
}

function typesNarrowed(old: Json, after: Json, { at, say }: Place): void {
  const now = typesOf(after);
  const lost = [...typesOf(old)].filter((type) => !now.has(type) && !(type === 'integer' && now.has('number')));
  if (lost.length === 0) return;
  say(
    old.type === undefined ? `${subject(at)} has to be ${[...now].join(' or ')} now` : `${subject(at)} is no longer ${lost.join(' or ')}`,
  );
}

const typesOf = ({ type }: Json): ReadonlySet<unknown> => new Set(type === undefined ? ALL_TYPES : [type].flat());

function valuesNarrowed(old: Json, after: Json, { at, say }: Place): void {
  const now = choices(after);
  if (!now) return;
  const before = choices(old);
  if (!before) return say(`${subject(at)} takes only some values now`);
  const lost = before.filter((value) => !now.some((other) => isDeepStrictEqual(other, value)));
  if (lost.length > 0) say(`${subject(at)} no longer takes ${lost.slice(0, 3).map(shown).join(', ')}${lost.length > 3 ? ', …' : ''}`);
}

const choices = (schema: Json): readonly unknown[] | undefined => {
  if (Object.hasOwn(schema, 'const')) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
};

function boundsNarrowed(old: Json, after: Json, { at, say }: Place): void {
  const tighter = (keyword: string, isTighter: (now: number, then: number) => boolean) => {
    const [now, then] = [after[keyword], old[keyword]];
    if (typeof now === 'number' && (typeof then !== 'number' || isTighter(now, then)))
      say(`${subject(at)} has a "${keyword}" of ${now} now`);
  };
  for (const keyword of LEAST) tighter(keyword, (now, then) => now > then);
  for (const keyword of MOST) tighter(keyword, (now, then) => now < then);
}

function propertiesNarrowed(old: Json, after: Json, { at, say }: Place): void {
  const [before, now] = [objectOf(old.properties), objectOf(after.properties)];
  const wasRequired = new Set(listOf(old.required));
  for (const name of listOf(after.required)) if (!wasRequired.has(name)) say(`${subject([...at, String(name)])} is required now`);
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(now, name)) say(`${subject([...at, name])} is gone`);
    else narrowed({ before: before[name], after: now[name], at: [...at, name] }, say);
  }
  if (after.additionalProperties === false && old.additionalProperties !== false) say(`${subject(at)} takes no further properties now`);
  else if (isObject(after.additionalProperties))
    narrowed({ before: old.additionalProperties, after: after.additionalProperties, at: [...at, '*'] }, say);
}

const objectOf = (value: unknown): Json => (isObject(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** `"filter.tags[]"`; the whole is `its input`. */
function subject(at: readonly string[]): string {
  if (at.length === 0) return 'its input';
  return shown(at.reduce((path, name) => (name === '[]' || path === '' ? `${path}${name}` : `${path}.${name}`), ''));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME - 1)}…` : text;
}

/** A schema without the text for people. What is called so as a property stays. */
function essence(schema: unknown, depth = 0): unknown {
  if (depth > DEEPEST) return schema;
  if (Array.isArray(schema)) return schema.map((item) => essence(item, depth + 1));
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([key, value]) => !ANNOTATIONS.has(key) || isObject(value));
  return Object.fromEntries(kept.map(([key, value]) => [key, essence(value, depth + 1)]));
}
