/** Runs the load generator against a target and reads the target's CPU clock around it. */
import { fileURLToPath } from 'node:url';
import { startChild } from '../children.ts';
import { cpuMicros } from '../proc.ts';
import type { LoadRun } from '../results.ts';
import type { Target } from '../targets.ts';

const LOAD = fileURLToPath(new URL('../load.mjs', import.meta.url));

/** What the load generator is to do. */
export interface Plan {
  readonly concurrency: number;
  readonly calls: number;
  readonly warmup?: number;
  readonly method?: 'tools/call' | 'tools/list';
  readonly tools?: number;
}

/** The outcome of one run, with the first wrong answer when there was one. */
export type Loaded = Omit<LoadRun, 'round'> & { readonly firstError?: string };

/** One run of the load generator. @throws Error when it cannot connect or does not finish. */
export async function load(name: string, target: Target, plan: Plan): Promise<Loaded> {
  const warmup = plan.warmup ?? Math.ceil(plan.calls / 10);
  const child = startChild({ name: 'load', args: [LOAD, JSON.stringify({ ...plan, warmup, url: target.url, hold: true })] });
  try {
    await child.line(60_000);
    const before = cpuMicros(target.child.pid);
    child.write('go\n');
    const figures = JSON.parse(await child.line(180_000)) as Omit<Loaded, 'target' | 'concurrency' | 'cpu'>;
    const cpu = (cpuMicros(target.child.pid) - before) / plan.calls;
    return { target: name, concurrency: plan.concurrency, cpu, ...figures };
  } finally {
    await child.stop();
  }
}
