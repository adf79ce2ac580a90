/** The results as tables for people. */
import { UNOBSERVED } from './measures/observe.ts';
import type { LoadRun, Passes, Results, StartRun } from './results.ts';
import { median, spread } from './stats.ts';

/** The whole report as text. */
export function report(results: Results): string {
  const { calls, observe, list, start, memory, leaks, problems } = results;
  const parts = [`onemcp benchmark, ${results.date}\n${results.machine}, commit ${results.commit}, ${JSON.stringify(results.options)}`];
  if (calls.length > 0) parts.push(loads('tools/call echo, about 100 bytes', calls));
  if (observe.length > 0) parts.push(observed(observe));
  if (list.length > 0) parts.push(loads('tools/list, 1,000 tools', list));
  if (start.length > 0) parts.push(starts(start));
  for (const row of memory) {
    const rows = [
      ['', 'RSS', 'heap'],
      [`idle, ${row.idleBackends} stdio backends`, mib(row.idleRss), ''],
      ['the same after a collection', mib(row.idle.rss), mib(row.idle.heap)],
      [`one of ${row.sessions} open sessions`, bytes(row.perSession.rss), bytes(row.perSession.heap)],
      ['the same with an open GET stream', bytes(row.perStream.rss), bytes(row.perStream.heap)],
    ];
    parts.push(titled(`memory of ${row.target}`, rows));
  }
  if (leaks.length > 0) parts.push(titled('growth in the second of two equal passes (in the first)', [LEAK_HEAD, ...leaks.map(leak)]));
  parts.push(problems.length === 0 ? 'Every answer was right.' : `PROBLEMS\n${problems.map((text) => `  ${text}`).join('\n')}`);
  return parts.join('\n\n');
}

function loads(title: string, runs: readonly LoadRun[]): string {
  const rows = [['target', 'c', 'per s', 'p50 ms', 'p99 ms', 'CPU µs', 'load µs', 'per s ÷ fwd', 'p50 ÷ fwd', 'CPU ÷ fwd']];
  for (const concurrency of new Set(runs.map((run) => run.concurrency))) {
    const same = runs.filter((run) => run.concurrency === concurrency);
    for (const target of new Set(inOrder(same))) {
      const own = same.filter((run) => run.target === target);
      const of = (pick: (run: LoadRun) => number, digits: number) => median(own.map(pick)).toFixed(digits);
      const against = (pick: (run: LoadRun) => number) => ratio(own, same, target, pick);
      rows.push([
        target,
        String(concurrency),
        of((run) => run.perSecond, 0),
        of((run) => run.p50, 2),
        of((run) => run.p99, 2),
        of((run) => run.cpu, 0),
        of((run) => run.loadCpu, 0),
        against((run) => run.perSecond),
        against((run) => run.p50),
        against((run) => run.cpu),
      ]);
    }
  }
  return titled(title, rows);
}

/** Targets with each gateway below the forwarder it is compared with, whatever order the rounds had. */
const ORDER = [
  'direct',
  'forwarder→stdio',
  'onemcp→stdio',
  'onemcp→stdio, metrics off',
  'onemcp→stdio, traces on',
  'forwarder→http',
  'onemcp→http',
];
const inOrder = (runs: readonly LoadRun[]) => runs.map((run) => run.target).sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));

/** What is switched on, and what that costs: CPU of a call against the gateway of the same round with nothing on. */
function observed(runs: readonly LoadRun[]): string {
  const rows = [['target', 'c', 'per s', 'CPU µs', 'CPU ÷ nothing on']];
  for (const concurrency of new Set(runs.map((run) => run.concurrency))) {
    const same = runs.filter((run) => run.concurrency === concurrency);
    // Each round begins with another one; the table does not.
    for (const target of new Set([UNOBSERVED, ...same.map((run) => run.target).sort((a, b) => a.length - b.length)])) {
      const own = same.filter((run) => run.target === target);
      if (own.length === 0) continue;
      const ratios = own.flatMap((run) => {
        const off = same.find((other) => other.target === UNOBSERVED && other.round === run.round);
        return off ? [run.cpu / off.cpu] : [];
      });
      rows.push([
        target,
        String(concurrency),
        median(own.map((run) => run.perSecond)).toFixed(0),
        median(own.map((run) => run.cpu)).toFixed(1),
        ratios.length > 0 && target !== UNOBSERVED ? range(ratios) : '',
      ]);
    }
  }
  return titled('tools/call echo, what being observed costs', rows);
}

/** Median and extremes of the ratios to the forwarder of the same round: noise that hits both cancels out. */
function ratio(own: readonly LoadRun[], all: readonly LoadRun[], target: string, pick: (run: LoadRun) => number): string {
  if (!target.startsWith('onemcp')) return '';
  const baseline = target.replace('onemcp', 'forwarder').replace(/, .*/, '');
  const ratios = own.flatMap((run) => {
    const other = all.find((candidate) => candidate.target === baseline && candidate.round === run.round);
    return other ? [pick(run) / pick(other)] : [];
  });
  return ratios.length === 0 ? '' : range(ratios);
}

function range(values: readonly number[]): string {
  const { median: middle, min, max } = spread(values);
  return values.length === 1 ? middle.toFixed(2) : `${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

function starts(runs: readonly StartRun[]): string {
  const rows = [['target', 'spawns', 'initialize ms', 'full tools/list ms']];
  for (const target of new Set(runs.map((run) => run.target))) {
    const own = runs.filter((run) => run.target === target);
    const of = (values: number[]) => {
      const { median: middle, min, max } = spread(values);
      return `${middle.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`;
    };
    rows.push([target, String(own.length), of(own.map((run) => run.initialize)), of(own.map((run) => run.list))]);
  }
  return titled('from spawn to the first answer', rows);
}

const LEAK_HEAD = ['target', 'use', 'RSS', 'heap', 'fds'];

function leak({ target, use, before, first, second }: Passes): string[] {
  const both = (pick: (from: Passes['first']) => number, show: (value: number) => string) =>
    `${show(pick(second) - pick(first))} (${show(pick(first) - pick(before))})`;
  return [target, use, both(({ rss }) => rss, bytes), both(({ heap }) => heap, bytes), both(({ fds }) => fds, String)];
}

const mib = (value: number) => `${(value / 2 ** 20).toFixed(1)} MiB`;
const bytes = (value: number) => (Math.abs(value) < 10_240 ? `${value.toFixed(0)} B` : `${(value / 1024).toFixed(0)} KiB`);

function titled(title: string, rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
  );
  return [title, ...lines].join('\n');
}
