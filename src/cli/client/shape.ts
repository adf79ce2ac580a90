import { isObject } from '../../json.ts';
import type { Json } from '../../world.ts';

export type Type = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

/** What a JSON schema says of a value, as far as a text can be converted by it. */
export interface Shape {
  /** Empty: the schema does not say. */
  readonly types: ReadonlySet<Type>;
  /** The only values, if there are only some. */
  readonly choices: readonly unknown[] | undefined;
  /** Schema of the elements of an array. */
  readonly items: unknown;
}

const TYPES: ReadonlySet<string> = new Set<Type>(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object']);
const ANY: Shape = { types: new Set(), choices: undefined, items: undefined };
/** A schema may refer to itself. */
const DEEPEST = 16;

/**
 * The shape of a schema; `anyOf` and `oneOf` allow what one of them allows, of `allOf` the first that says something counts.
 * @param root the whole schema, which `$ref` points into
 */
export function shapeOf(schema: unknown, root: unknown, depth = 0): Shape {
  if (!isObject(schema) || depth > DEEPEST) return ANY;
  const inner = (other: unknown) => shapeOf(other, root, depth + 1);
  if (typeof schema.$ref === 'string') return inner(pointed(root, schema.$ref));
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches) && schema.type === undefined) return union(branches.map(inner));
  if (Array.isArray(schema.allOf) && schema.type === undefined)
    return schema.allOf.map(inner).find(({ types, choices }) => types.size > 0 || choices) ?? ANY;
  const types = [schema.type].flat().filter((type): type is Type => TYPES.has(type as string));
  const choices = 'const' in schema ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : undefined;
  return { types: new Set(types), choices, items: schema.items };
}

function union(shapes: readonly Shape[]): Shape {
  if (shapes.some(({ types, choices }) => types.size === 0 && !choices)) return ANY;
  const types = new Set(shapes.flatMap((shape) => [...shape.types]));
  // `null` beside some choices is one more of them.
  const choices = shapes.map((shape) => shape.choices ?? (isOnly(shape, 'null') ? [null] : undefined));
  return {
    types,
    choices: choices.every((some) => some !== undefined) ? choices.flat() : undefined,
    items: shapes.find(({ items }) => items !== undefined)?.items,
  };
}

const isOnly = ({ types }: Shape, type: Type): boolean => types.size === 1 && types.has(type);

/** What a local JSON pointer such as `#/$defs/colour` leads to. RFC 6901. */
function pointed(root: unknown, ref: string): unknown {
  if (!ref.startsWith('#')) return undefined;
  let at = root;
  for (const part of ref.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Json)[key];
  }
  return at;
}

/** The shape in a word or two: `integer`, `list of string`, `low|high`. */
export function shapeText(schema: unknown, root: unknown): string {
  const { types, choices, items } = shapeOf(schema, root);
  if (choices) return choices.slice(0, 12).map(choiceText).join('|') + (choices.length > 12 ? '|…' : '');
  const names = [...types].filter((type) => type !== 'null' || types.size === 1);
  const element = types.has('array') && items !== undefined ? [...shapeOf(items, root).types].join('|') : '';
  return names.map((type) => (type === 'array' ? `list${element && ` of ${element}`}` : type)).join('|') || 'any';
}

/** A choice as it is typed. */
export const choiceText = (choice: unknown): string => (typeof choice === 'string' ? choice : JSON.stringify(choice));
