import type { Row } from './family.ts';
import { COLUMNS, mebibytes } from './judge.ts';
import { p99Of } from './load.ts';

/** One line a fault: a verdict for each column, and the figures behind them. */
export function tableOf(title: string, rows: readonly Row[]): string {
  const lines = rows.map(({ name, evidence: { load, memory, ending, watched }, verdict }) => [
    name,
    ...COLUMNS.map((column) => (verdict[column].length === 0 ? 'ok' : 'BAD')),
    `${load.latencies.length}/${load.sent}`,
    p99Of(load).toFixed(0),
    Math.max(0, ...watched.health.map(({ took }) => took)).toFixed(0),
    mebibytes(memory.peak - memory.before),
    ending.took.toFixed(0),
  ]);
  const all = [[title, ...COLUMNS, 'calls', 'p99 ms', 'health ms', '+MiB', 'exit ms'], ...lines];
  const widths = (all[0] as string[]).map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  return all
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
