const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Whether a JSON text nests deeper than `max` levels, found without parsing it: a parser, and everything that walks its
 * result, recurses. Says nothing about the validity of the text. Linear, and near free for texts with few brackets.
 */
export function jsonDepthExceeds(text: string, max: number): boolean {
  if (text.length <= max || !hasMoreBrackets(text, max)) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at + 1);
    else if (char === OPEN_OBJECT || char === OPEN_ARRAY) {
      if (++depth > max) return true;
    } else if (char === CLOSE_OBJECT || char === CLOSE_ARRAY) depth--;
  }
  return false;
}

/** Keys of a JSON-RPC message that mean something else when they are there twice. */
const KEYS = ['"method"', '"id"', '"params"', '"result"', '"error"', '"jsonrpc"'];

/**
 * A key that the object in a JSON text has twice, if there is one: a parser takes the last, and whoever looked at the text
 * before may have taken the first. The text is that of an object, and valid. Near free for texts that name no key of JSON-RPC twice.
 */
export function repeatedKey(text: string): string | undefined {
  const suspicious = text.includes('\\u') || KEYS.some((key) => isTwiceIn(text, key));
  if (!suspicious) return undefined;
  const seen = new Set<string>();
  let depth = 0;
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const end = endOfString(text, at + 1);
      if (depth === 1 && expectsKey) {
        const key = JSON.parse(text.slice(at, end + 1)) as string;
        if (seen.has(key)) return key;
        seen.add(key);
        expectsKey = false;
      }
      at = end;
    } else if (char === OPEN_OBJECT || char === OPEN_ARRAY) {
      if (++depth === 1) expectsKey = true;
    } else if (char === CLOSE_OBJECT || char === CLOSE_ARRAY) depth--;
    else if (char === COMMA && depth === 1) expectsKey = true;
  }
  return undefined;
}

function isTwiceIn(text: string, part: string): boolean {
  const first = text.indexOf(part);
  return first >= 0 && text.indexOf(part, first + part.length) > 0;
}

/** Brackets inside strings are counted too: this is only the quick way out for ordinary messages. */
function hasMoreBrackets(text: string, max: number): boolean {
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (++count > max) return true;
  }
  return false;
}

/** Index of the quote that ends the string whose content starts at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let from = start; ; ) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return text.length;
    let escapes = 0;
    while (quote - 1 - escapes >= from && text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** Whether a JSON value is an object, which `typeof` says of arrays and null as well. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A document as JSON would show it, with all its texts changed, those that are keys too. A number is replaced when it as a whole is
 * no longer what it was, as by `***`. Whoever changes the JSON text instead may break it: `\nabc` holds `nabc`.
 */
export function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (typeof value === 'number') return change(String(value)) === HIDDEN ? HIDDEN : value;
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return mapTexts(value.toJSON(), change);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), mapTexts(item, change)]));
}

/** What stands in the place of a secret. */
const HIDDEN = '***';
