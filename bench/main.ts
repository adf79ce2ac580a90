/** The benchmark: `npm run bench -- [--quick] [--rounds N] [--only NAME,…] [--baselines]`. See bench/README.md. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { killChildren, stopChildren } from './children.ts';
import { calls } from './measures/calls.ts';
import { leaks } from './measures/leaks.ts';
import { list } from './measures/list.ts';
import type { Context, Measure } from './measures/measure.ts';
import { memory } from './measures/memory.ts';
import { observe } from './measures/observe.ts';
import { start } from './measures/start.ts';
import { report } from './report.ts';
import type { Results } from './results.ts';
import { gatewayIsBuilt } from './targets.ts';

const MEASURES: Readonly<Record<string, Measure>> = { calls, observe, list, start, memory, leaks };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    baselines: { type: 'boolean', default: false },
  },
});
const only = values.only.flatMap((names) => names.split(','));
const unknown = only.filter((name) => !(name in MEASURES));
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds takes a whole number from 1, --only some of: ${Object.keys(MEASURES).join(', ')}`);
  process.exit(2);
}

process.on('exit', killChildren);
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => void stopChildren().then(() => process.exit(code)));
}

const results: Results = {
  date: new Date().toISOString(),
  machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}`,
  commit: commit(),
  options: { rounds, quick: values.quick, only, baselines: values.baselines },
  calls: [],
  observe: [],
  list: [],
  start: [],
  memory: [],
  leaks: [],
  problems: [],
};
const gateway = !values.baselines && gatewayIsBuilt();
if (!values.baselines && !gateway)
  results.problems.push('onemcp did not start: dist/main.js does not exist (npm run build, or --baselines)');

const context: Context = { rounds, quick: values.quick, gateway, results, say: (text) => console.error(text) };
for (const [name, measure] of Object.entries(MEASURES)) {
  if (only.length > 0 && !only.includes(name)) continue;
  try {
    await measure(context);
  } catch (error) {
    results.problems.push(`${name}: ${(error as Error).message}`);
  }
  await stopChildren();
}

const folder = new URL('./results/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL(`${results.date.replaceAll(':', '-')}.json`, folder), `${JSON.stringify(results, null, 2)}\n`);
console.log(report(results));
process.exit(results.problems.length > 0 ? 1 : 0);

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return 'unknown';
  }
}
