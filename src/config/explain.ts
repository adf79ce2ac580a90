/** Where each setting comes from, for `onemcp config explain`. */
import type { Issue } from './config.ts';
import { type Explained, layersOf, valueAt, type Word } from './layers.ts';
import { type LoadOptions, located, sheetOf } from './load.ts';
import { parseDocument } from './parse.ts';
import type { Setting } from './settings.ts';
import { checkShape } from './shape.ts';
import { has, type Sheet, stackOf } from './stack.ts';
import { inUnit } from './units.ts';

export interface Explanation {
  /** Every setting, as far as the file can be read. What stands in it has `file:line:column` as its source. */
  readonly settings: readonly Explained[];
  /** What is wrong with the settings, wherever it is. */
  readonly issues: readonly Issue[];
  readonly warnings: readonly Issue[];
}

export interface ExplainOptions extends Omit<LoadOptions, 'secrets'> {
  /** Variables that are from the `.env` beside the file. */
  readonly beside?: ReadonlySet<string>;
}

/** Explains the settings of a configuration. Servers are not looked at. Never throws. */
export async function explainConfig(options: ExplainOptions): Promise<Explanation> {
  const { file, text, env, beside = new Set(), overrides = {} } = options;
  const { document: own, problems, positionOf } = parseDocument(text);
  const stack = own && (await stackOf(sheetOf(options, own)));
  const document = stack?.document ?? own;
  const { file: shape, problems: shaping } = document ? checkShape(document.value) : { file: undefined, problems: [] };
  const layered = layersOf({ env, overrides, shape: shape?.gateway ?? {} });
  const ofSettings = shaping.filter(({ path: [first] }) => first === 'gateway');
  const inFile = located([...problems, ...ofSettings], file, document?.locate ?? (({ offset = 0 }) => positionOf(offset)));
  const places = (setting: Setting, word: Word): readonly Word[] => {
    if (word.layer === 'environment' && beside.has(word.source)) return [{ ...word, source: `${word.source} in .env` }];
    return word.layer === 'file' ? written(stack?.sheets ?? [], ['gateway', ...(setting.path ?? [])]) : [word];
  };
  return {
    settings: layered.settings.map(({ setting, won, hidden }) => {
      const [first, ...rest] = [won, ...hidden].flatMap((word) => places(setting, word));
      return { setting, won: first as Word, hidden: rest };
    }),
    issues: [...layered.issues, ...(stack?.issues ?? []), ...inFile],
    warnings: layered.warnings,
  };
}

/** Where a setting is written, in the file that wins first. */
function written(sheets: readonly Sheet[], path: readonly string[]): readonly Word[] {
  const having = sheets.filter(({ document }) => has(document.value, path)).reverse();
  return having.map(({ file, document }) => {
    const { line, column } = document.locate({ path, at: 'key', message: '' });
    return { layer: 'file', source: `${file}:${line}:${column}`, value: valueAt(document.value, path) };
  });
}

/** Names of settings and keys whose values may be credentials. Switches are none, whatever they are called. */
const CREDENTIAL = /key|token|secret|passw|passphrase|auth|cred|cookie/i;
const HIDDEN = '***';

/** A value as it may be shown: credentials, and what of a URL may be one, are `***`. Templates are shown as they are written. */
export function disclosed(name: string, value: unknown): unknown {
  if (typeof value === 'string')
    return isTemplate(value) || name === 'publicUrl' ? value : CREDENTIAL.test(name) ? HIDDEN : withoutPath(value);
  if (Array.isArray(value)) return value.map((item) => disclosed(name, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, disclosed(`${name}.${key}`, inner)]));
}

/** Nothing but references, so that there is nothing to hide in it. */
const isTemplate = (text: string): boolean => /^(?:\$\{[^}]*\}|[\s:/@.-])+$/.test(text) && !text.includes(':-');

/** Addresses of webhooks are known to nobody else. */
function withoutPath(text: string): string {
  if (!/^https?:/i.test(text) || !URL.canParse(text)) return text;
  const { origin, pathname, search, username } = new URL(text);
  return pathname === '/' && search === '' && username === '' ? text : `${origin}/${HIDDEN}`;
}

/** A value in words: `10s`, `4MiB`, `a, b`. */
export function inWords({ name, unit }: Setting, value: unknown): string {
  const number = unit === undefined ? undefined : inUnit(value, unit);
  if (number !== undefined) return unit === 'ms' ? scaled(number, TIMES) : unit === 'bytes' ? scaled(number, SIZES) : String(number);
  const shown = disclosed(name, value);
  if (shown === undefined) return '-';
  if (Array.isArray(shown) && shown.every((item) => typeof item === 'string')) return shown.length === 0 ? '(empty)' : shown.join(', ');
  return typeof shown === 'string' ? shown : JSON.stringify(shown);
}

const TIMES = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;
const SIZES = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['B', 1],
] as const;

/** In the largest unit that leaves a whole number. */
function scaled(value: number, units: readonly (readonly [unit: string, factor: number])[]): string {
  const [unit, factor] = units.find(([, size]) => value >= size && value % size === 0) ?? (units.at(-1) as readonly [string, number]);
  return value === 0 ? '0' : `${value / factor}${unit}`;
}
