import { nearest } from '../../config/suggest.ts';
import { isObject } from '../../json.ts';
import { choiceText, type Shape, shapeOf, type Type } from './shape.ts';

/** A value, or what was expected instead of the text. */
export type Converted = { readonly value: unknown } | { readonly expected: string };

/**
 * The value of an argument from the texts given for its key, by its schema. A text that may be a text stays one. A list is
 * given by the key several times, or as one JSON array. Without a type in the schema, what is JSON is taken as such.
 * @param root the whole schema, which `$ref` points into
 */
export function convert(texts: readonly string[], schema: unknown, root: unknown): Converted {
  const shape = shapeOf(schema, root);
  const [first = ''] = texts;
  if (texts.length === 1 && !shape.types.has('array')) return single(first, shape);
  if (texts.length === 1 && first.trimStart().startsWith('[')) {
    const list = parsed(first);
    if (Array.isArray(list)) return { value: list };
  }
  if (texts.length === 1 && shape.types.has('string')) return { value: first };
  if (texts.length === 1 && first === 'null' && shape.types.has('null')) return { value: null };
  if (shape.types.size > 0 && !shape.types.has('array')) return { expected: 'one value, not several' };
  return several(texts, shape.items, root);
}

function several(texts: readonly string[], items: unknown, root: unknown): Converted {
  const shape = shapeOf(items, root);
  const values: unknown[] = [];
  for (const text of texts) {
    const element = single(text, shape);
    if ('expected' in element) return { expected: `a list whose elements are each ${element.expected}` };
    values.push(element.value);
  }
  return { value: values };
}

function single(text: string, { types, choices }: Shape): Converted {
  if (choices) return choice(text, choices);
  if (types.size === 0) {
    const value = parsed(text);
    return { value: value === undefined ? text : value };
  }
  if (types.has('string')) return { value: text };
  for (const type of types) {
    const value = READERS[type](text);
    if (value !== undefined) return { value };
  }
  return { expected: [...types].map((type) => WANTED[type]).join(' or ') };
}

function choice(text: string, choices: readonly unknown[]): Converted {
  const texts = choices.map(choiceText);
  const at = texts.indexOf(text);
  if (at >= 0) return { value: choices[at] };
  const guess = nearest(text, texts);
  return { expected: guess === undefined ? `one of ${texts.join(', ')}` : `one of ${texts.join(', ')}; did you mean "${guess}"?` };
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** The value a text stands for as each type; undefined when it does not. */
const READERS: Readonly<Record<Type, (text: string) => unknown>> = {
  string: (text) => text,
  null: (text) => (text === 'null' ? null : undefined),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  integer: (text) => {
    const number = numberOf(text);
    return number !== undefined && Number.isInteger(number) ? number : undefined;
  },
  number: numberOf,
  array: (text) => {
    const value = parsed(text);
    return Array.isArray(value) ? value : undefined;
  },
  object: (text) => {
    const value = parsed(text);
    return isObject(value) ? value : undefined;
  },
};

const WANTED: Readonly<Record<Type, string>> = {
  string: 'a text',
  null: 'null',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  array: 'a list',
  object: 'a JSON object',
};

/** Numbers travel as doubles: a whole one that would become another is refused rather than changed. */
function numberOf(text: string): number | undefined {
  if (!NUMBER.test(text)) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) return undefined;
  const isChanged = /^[+-]?\d+$/.test(text) && !Number.isSafeInteger(number) && String(number) !== text;
  return isChanged ? undefined : number;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
