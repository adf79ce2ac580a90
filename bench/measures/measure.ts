/** What every measure is given. */
import type { Results } from '../results.ts';

/** One measure: fills its part of the results; reports what went wrong in `problems` and goes on. */
export type Measure = (context: Context) => Promise<void>;

/** The run's settings and its growing results. */
export interface Context {
  readonly rounds: number;
  /** A smoke test: everything once, far too short for figures worth quoting. */
  readonly quick: boolean;
  /** False: the baselines only. */
  readonly gateway: boolean;
  readonly results: Results;
  /** One line of progress. */
  say(text: string): void;
}
