/** The shape of what a benchmark run found, as it is written to `bench/results/`. */

/** One run of the load generator against one target. */
export interface LoadRun {
  readonly round: number;
  readonly target: string;
  readonly concurrency: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU of the target process, microseconds a request. */
  readonly cpu: number;
  /** CPU of the load generator, microseconds a request: when it nears 1e6 / perSecond, the generator is the limit. */
  readonly loadCpu: number;
  readonly errors: number;
}

/** One spawn: milliseconds until the first `initialize` answer and until the first complete `tools/list`. */
export interface StartRun {
  readonly round: number;
  readonly target: string;
  readonly initialize: number;
  readonly list: number;
}

/** Bytes and descriptors of one process at one moment, after a garbage collection. */
export interface Footprint {
  readonly rss: number;
  readonly heap: number;
  readonly fds: number;
}

/** What one kind of use left behind, in two equal passes. */
export interface Passes {
  readonly target: string;
  readonly use: string;
  readonly before: Footprint;
  readonly first: Footprint;
  readonly second: Footprint;
}

/** Memory of the gateway: idle, and what one session adds. */
export interface Memory {
  readonly target: string;
  readonly idleBackends: number;
  /** VmRSS as found, before a garbage collection was forced. */
  readonly idleRss: number;
  readonly idle: Footprint;
  readonly sessions: number;
  /** Bytes a session. */
  readonly perSession: { readonly rss: number; readonly heap: number };
  readonly perStream: { readonly rss: number; readonly heap: number };
}

/** Everything one benchmark run found. */
export interface Results {
  readonly date: string;
  readonly machine: string;
  readonly commit: string;
  readonly options: Readonly<Record<string, unknown>>;
  calls: LoadRun[];
  observe: LoadRun[];
  list: LoadRun[];
  start: StartRun[];
  memory: Memory[];
  leaks: Passes[];
  /** Wrong answers and targets that did not start: what makes the run fail. */
  problems: string[];
}
