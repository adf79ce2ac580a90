/** Traces put together: whether there are any, and everything that they need, loaded only then. */
import { randomUUID } from 'node:crypto';
import type { Observable, Subscription } from 'rxjs';
import type { Config, ConfigSource } from './config/config.ts';
import type { Log } from './io/deps.ts';
import type { Tracing } from './mcp/tracing.ts';
import type { ReloadResult } from './observe/tally.ts';
import type { Traces } from './observe/tracing.ts';
import type { World } from './world.ts';

export interface TracingOptions {
  readonly log: Log;
  readonly redact: (text: string) => string;
  readonly version: string;
  readonly now: () => number;
}

/** Traces that are being loaded. */
export interface LateTracing {
  /** Settles when it is known who traces requests. Never rejects. */
  readonly loaded: Promise<Tracing | undefined>;
  /** Follows the World, from when it is loaded. */
  follow(world$: Observable<World>): void;
  /** The same source; its readings become spans together with `reloaded`. */
  watched(source: ConfigSource): ConfigSource;
  reloaded(result: ReloadResult): void;
  /** Sends what is left, for `traces.flushTimeout` at most. Never rejects. */
  close(): Promise<void>;
}

/** Where `@opentelemetry/api` 1.x keeps what a program registered; reading it needs no package. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** Undefined: nobody wants traces, and nothing of them is loaded. */
export function startTracing({ traces: spec, limits }: Config, options: TracingOptions): LateTracing | undefined {
  const provider = (globalThis as { [REGISTERED]?: { trace?: object } })[REGISTERED]?.trace;
  if (!spec && !provider) return undefined;
  let made: Traces | undefined;
  const follows: Subscription[] = [];
  const load = async () => {
    const { createTraces } = await import('./observe/tracing.ts');
    made = createTraces({ ...options, provider: provider as never, spec, limits, run: randomUUID() });
    return made?.requests;
  };
  const loaded = load().catch((error: Error) => {
    options.log('error', 'traces.failed', { message: `there will be no traces: ${error.message}` });
    return undefined;
  });
  return {
    loaded,
    follow: (world$) =>
      void loaded.then(() => {
        if (made) follows.push(made.lifecycle.follow(world$));
      }),
    watched: (source) => ({
      load(other) {
        made?.lifecycle.reading();
        return source.load(other);
      },
      ...(source.watch && { watch: source.watch.bind(source) }),
    }),
    reloaded: (result) => made?.lifecycle.reloaded(result),
    async close() {
      await loaded;
      for (const subscription of follows) subscription.unsubscribe();
      await made?.close();
    },
  };
}
