import { escapeControls } from '../../observe/escape.ts';
import { columns } from '../../observe/text.ts';
import type { Output, ProcessPorts } from '../process.ts';

/** https://no-color.org */
export const colorsOf = (out: Output, env: ProcessPorts['env']): boolean => Boolean(out.isTTY) && !env.NO_COLOR && env.TERM !== 'dumb';

/** A table whose first row is its head, cut to the width of a terminal. */
export function printTable(rows: readonly (readonly string[])[], { stdout, env }: Pick<ProcessPorts, 'stdout' | 'env'>): void {
  const used = (rows[0] ?? []).map((_, column) => rows.slice(1).some((row) => row[column] !== ''));
  const lines = columns(rows.map((row) => row.filter((_, column) => used[column]))).map((line) => cut(line, widthOf(stdout)));
  const [head = '', ...rest] = lines;
  stdout.write(`${[colorsOf(stdout, env) ? `\u001b[1m${head}\u001b[0m` : head, ...rest].join('\n')}\n`);
}

/** Characters in a line; without a terminal there is no end. */
export const widthOf = ({ isTTY, columns: width }: Output): number => (isTTY && width ? width : Number.POSITIVE_INFINITY);

/** A text with at most so many characters. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

/** The first line of a text that may be anything. */
export const firstLine = (value: unknown): string => (typeof value === 'string' ? (value.trim().split(/\r?\n/, 1)[0] as string) : '');

/** A document for programs. */
export const printJson = (out: Output, value: unknown): void => void out.write(`${JSON.stringify(value, null, 2)}\n`);

/**
 * Text of a server: as it is for a file or another program, which may need every byte of it, and without what would command
 * a terminal on one.
 */
export function printText(out: Output, text: string): void {
  const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  out.write(out.isTTY ? ended.split('\n').map(escapeButTabs).join('\n') : ended);
}

const escapeButTabs = (line: string): string => line.replace(/\r$/, '').split('\t').map(escapeControls).join('\t');

/** `12 KiB`. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const [number, unit] = bytes < 1024 ** 2 ? [bytes / 1024, 'KiB'] : [bytes / 1024 ** 2, 'MiB'];
  return `${number < 10 ? Math.round(number * 10) / 10 : Math.round(number)} ${unit}`;
}
