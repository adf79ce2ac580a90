import { z } from 'zod';
import { MOVED } from './features.ts';
import { formatPath, type Path, type Problem } from './issue.ts';
import { type FileShape, fileSchema } from './schema.ts';
import { nearest, unknownKey } from './suggest.ts';
import { found, kindOf } from './units.ts';

const WORDS: Readonly<Record<string, string>> = {
  string: 'a string',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  object: 'an object',
  record: 'an object',
  array: 'a list',
};

/** With more, the file is something else, and taking each of them out would take long. */
const MOST_PROBLEMS = 500;

/**
 * Compares a parsed file with the schema. What is wrong is taken out and the rest is returned, so that the later checks
 * still find what they can.
 */
export function checkShape(value: unknown): { readonly file: FileShape | undefined; readonly problems: readonly Problem[] } {
  const result = fileSchema.safeParse(value, { error: explain });
  if (result.success) return { file: result.data, problems: [] };
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, fileSchema));
  if (problems.length > MOST_PROBLEMS) return { file: undefined, problems };
  const rest = fileSchema.safeParse(problems.reduce((kept, { path }) => without(kept, path), value));
  return { file: rest.data, problems };
}

/** What is wrong with a value that is not in the file, in the same words; paths are those within the value. */
export function complaintsOf(schema: z.ZodType, value: unknown): readonly Problem[] {
  return schema.safeParse(value, { error: explain }).error?.issues.flatMap((issue) => problemsOf(issue, schema)) ?? [];
}

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType): Problem[] {
  const path = issue.path.filter((segment) => typeof segment !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => {
      const now = MOVED[formatPath([...path, key])];
      return {
        path: [...path, key],
        at: 'key',
        message: now === undefined ? unknownKey(key, known) : `this is now ${now}; write it there`,
      };
    });
  }
  return [{ path, at: issue.code === 'invalid_key' ? 'key' : 'value', message: issue.message }];
}

/** Messages of checks that have none of their own in the schema. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return `${String(issue.path?.at(-1) ?? 'value')} is missing`;
    // A string may be a credential that ended up in the wrong place, but hardly where true or false is wanted.
    const what = typeof issue.input === 'string' && issue.expected !== 'boolean' ? kindOf(issue.input) : found(issue.input);
    return `expected ${WORDS[issue.expected] ?? issue.expected}, found ${what}`;
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const guess = typeof issue.input === 'string' ? nearest(issue.input, values) : undefined;
    const wanted = `expected ${values.map((value) => JSON.stringify(value)).join(', ')}`;
    return `${wanted}; found ${found(issue.input)}${guess === undefined ? '' : `, did you mean "${guess}"?`}`;
  }
  return undefined;
}

/** The keys an object at a place of the file may have. */
function keysAt(schema: unknown, path: Path): string[] {
  if (schema instanceof z.ZodOptional) return keysAt(schema.unwrap(), path);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => keysAt(option, path));
  const [segment, ...rest] = path;
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, rest);
  if (schema instanceof z.ZodArray) return keysAt(schema.element, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  return segment === undefined ? Object.keys(schema.shape) : keysAt(schema.shape[segment], rest);
}

/** A copy without what is at the path; a list with a wrong item goes as a whole, or the other items would move. */
function without(value: unknown, path: Path): unknown {
  const [key, ...rest] = path;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || typeof key !== 'string' || !Object.hasOwn(value, key))
    return value;
  const { [key]: inner, ...others } = value as Record<string, unknown>;
  const goes = rest.length === 0 || Array.isArray(inner);
  return goes ? others : { ...(value as Record<string, unknown>), [key]: without(inner, rest) };
}
