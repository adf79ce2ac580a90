import type { Limits } from '../limits.ts';
import type { Json } from '../world.ts';
import { cut } from './instructions.ts';

/** An item as it may be shown: the same object where nothing had to change, with a sentence for each thing that had to. */
export interface Tidied {
  readonly item: Json;
  readonly notes: readonly string[];
}

export type ItemLimits = Pick<Limits, 'item.maxBytes' | 'item.maxDepth' | 'item.maxDescription'>;

/** Control characters but `\n`, `\t` and the `\r` of a line end. */
const CONTROL = '[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]|\\r(?!\\n)';
/** What turns the order of a text around. Unicode TR 9. */
const BIDI = '[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]';
/** What has no width and joins nothing: a text can be hidden in it. The last ones are tags, letter by letter ASCII. */
const INVISIBLE = '[\\u00ad\\u180e\\u200b\\u2060-\\u2065\\u206a-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}]';
/** Joiners belong into emoji and between letters of other scripts than ours, one at a time. */
const VISIBLE = '[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f]|(?![\\u0000-\\u024f])[\\p{L}\\p{M}]';
const JOINER = `(?<!${VISIBLE})[\\u200c\\u200d]|[\\u200c\\u200d](?!${VISIBLE})`;
/** A character has one variation. */
const VARIATION = '(?<=[\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}])[\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]';

const HIDDEN = new RegExp(`${CONTROL}|${BIDI}|${INVISIBLE}|${JOINER}|${VARIATION}`, 'gu');
const CONTRIVED = new RegExp(`${CONTROL}|${BIDI}|${INVISIBLE}|[\\u200c\\u200d\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]`, 'gu');
const HIDDEN_IN_NAME = new RegExp(`[\\n\\r\\t\\u2028\\u2029\\u200c\\u200d]|${CONTROL}|${BIDI}|${INVISIBLE}|${VARIATION}`, 'gu');
/** Most texts have none of it, which takes no more than one look. */
const SUSPICIOUS = /[^\n\t -~\u00a0-\u00ac\u00ae-\u0600]/u;

/** A text without the characters that nobody sees. */
export function visible(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  const clean = text.replace(HIDDEN, '');
  // One thing hidden by another was made so: such a text needs no joiners at all.
  return clean.replace(HIDDEN, '') === clean ? clean : text.replace(CONTRIVED, '');
}

/** Whether a name holds characters that nobody sees, or that end its line. */
export const hidesSomething = (name: string): boolean => name.search(HIDDEN_IN_NAME) >= 0;

/** A text as a quoted word of a note, every character of it visible. */
export const quoted = (text: string): string =>
  JSON.stringify(text).replace(HIDDEN_IN_NAME, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);

/** Texts for people and models, wherever in an item; what is not text under these names is a schema of that name. */
const TEXTS = new Set(['description', 'title']);
/** Data, in which such names mean nothing. */
const DATA = new Set(['default', 'const', 'enum', 'examples', '_meta']);

/**
 * Takes out of an item's descriptions and titles what is there to deceive, and cuts them to a length; everything else is
 * left alone.
 * @returns why the item cannot be shown at all, if it is too large or too deep
 */
export function tidied(item: Json, limits: ItemLimits): Tidied | string {
  const { 'item.maxBytes': maxBytes, 'item.maxDepth': maxDepth, 'item.maxDescription': maxText } = limits;
  let size = 0;
  let hidden = false;
  let long = false;

  const textOf = (text: string): string => {
    const clean = visible(text);
    hidden ||= clean !== text;
    // A character has three bytes at most for each of its code units.
    if (clean.length * 3 <= maxText || Buffer.byteLength(clean) <= maxText) return clean;
    long = true;
    return cut(clean, maxText);
  };

  /** The value with its texts tidied; the same one if there was nothing to do. */
  const walk = (value: unknown, depth: number, isData: boolean): unknown => {
    if (typeof value === 'string') size += value.length;
    size += 2;
    if (size > maxBytes) throw new Unfit(`it has more than ${maxBytes} bytes (item.maxBytes)`);
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= maxDepth) throw new Unfit(`it is nested deeper than ${maxDepth} levels (item.maxDepth)`);
    if (Array.isArray(value)) {
      const copy = value.map((child) => walk(child, depth + 1, isData));
      return copy.every((child, at) => child === value[at]) ? value : copy;
    }
    let same = true;
    const entries = Object.entries(value).map(([name, child]) => {
      size += name.length;
      const walked = walk(child, depth + 1, isData || DATA.has(name));
      const next = !isData && TEXTS.has(name) && typeof walked === 'string' ? textOf(walked) : walked;
      same &&= next === child;
      return [name, next] as const;
    });
    // `fromEntries` defines properties: a key "__proto__" stays a key.
    return same ? value : Object.fromEntries(entries);
  };

  try {
    const tidy = walk(item, 0, false) as Json;
    const notes = [
      ...(hidden ? ['invisible characters were taken out of its texts'] : []),
      ...(long ? [`a text of it was cut to ${maxText} bytes (item.maxDescription)`] : []),
    ];
    return { item: tidy, notes };
  } catch (error) {
    if (error instanceof Unfit) return error.message;
    throw error;
  }
}

class Unfit extends Error {}
