/** Prints JSON values in the style of a text: its indentation and its line ends. */
export interface Printer {
  readonly eol: string;
  /** One step of indentation. */
  readonly unit: string;
  /** A value that begins on a line with that indentation; short lists stay on one line. */
  print(value: unknown, indent: string): string;
  /** A value on one line. */
  line(value: unknown): string;
}

/** Longer lists get a line for each item. */
const LINE_WIDTH = 100;

/** The printer for a text; two spaces when it shows no style of its own. */
export function createPrinter(text: string): Printer {
  const eol = /\r\n/.test(text) ? '\r\n' : '\n';
  const unit = /^([ \t]*)(?:[^\s][^\n]*)?[{[][ \t]*\r?\n\1([ \t]+)\S/m.exec(text)?.[2] ?? '  ';

  const block = (open: string, items: readonly string[], [indent, close]: readonly [string, string]) =>
    `${open}${eol}${items.map((item) => `${indent}${unit}${item}`).join(`,${eol}`)}${eol}${indent}${close}`;

  function print(value: unknown, indent: string): string {
    if (Array.isArray(value)) {
      const short = line(value);
      const isFlat = value.every((item) => typeof item !== 'object' || item === null);
      if (isFlat && indent.length + short.length <= LINE_WIDTH) return short;
      return block(
        '[',
        value.map((item) => print(item, indent + unit)),
        [indent, ']'],
      );
    }
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    if (entries.length === 0) return '{}';
    return block(
      '{',
      entries.map(([key, inner]) => `${JSON.stringify(key)}: ${print(inner, indent + unit)}`),
      [indent, '}'],
    );
  }

  return { eol, unit, print, line };
}

function line(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(line).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return entries.length === 0 ? '{}' : `{ ${entries.map(([key, inner]) => `${JSON.stringify(key)}: ${line(inner)}`).join(', ')} }`;
}
