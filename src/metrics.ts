/** What `/metrics` shows, gathered from where it is counted. */
import type { BackendSpec } from './config/config.ts';
import type { MetricsOptions } from './http/metrics.ts';
import type { Context } from './mcp/method.ts';
import type { CallFacts, Facts } from './observe/metrics.ts';
import type { Tally } from './observe/tally.ts';

export interface MetricsSources {
  readonly context: Pick<Context, 'world' | 'lanes' | 'announced' | 'limits' | 'now'>;
  readonly tally: Tally;
  readonly version: string;
  readonly spec: (name: string) => BackendSpec | undefined;
  readonly sessions: () => number;
  readonly eventStreams: () => number;
  readonly problems: () => readonly string[];
}

/** The route's options. All that turns numbers into text is loaded with the first scrape: it costs a start nothing. */
export function metricsOf(sources: MetricsSources): MetricsOptions {
  const { world, limits, now } = sources.context;
  let loading: Promise<MetricsOptions['read']> | undefined;
  const load = async () => {
    const [{ createRegistry }, { samplesOf }] = await Promise.all([import('./observe/registry.ts'), import('./observe/metrics.ts')]);
    return createRegistry(() => samplesOf(world(), factsOf(sources)));
  };
  return {
    async read() {
      loading ??= load();
      return (await loading)();
    },
    keep: limits.metricsCache,
    now,
  };
}

function factsOf({ context, tally, version, spec, ...sources }: MetricsSources): Facts {
  const { lanes, announced } = context;
  return {
    version,
    nodeVersion: process.versions.node,
    sessions: sources.sessions(),
    eventStreams: sources.eventStreams(),
    hasProblems: sources.problems().length > 0,
    calls: (backend) => callFacts(lanes, backend),
    unrouted: lanes.unrouted,
    transport: (backend) => transportOf(spec(backend)),
    announced,
    tally,
  };
}

function callFacts(lanes: Context['lanes'], backend: string): CallFacts | undefined {
  const lane = lanes.find(backend);
  if (!lane) return undefined;
  const { queued, queueAgeMs } = lane.status() ?? { queued: 0, queueAgeMs: 0 };
  return { stats: lane.stats, inFlight: lane.inFlight, queued, queueAgeMs };
}

function transportOf(spec: BackendSpec | undefined): 'stdio' | 'http' | 'sse' {
  if (!spec || spec.kind === 'stdio') return 'stdio';
  return spec.type === 'sse' ? 'sse' : 'http';
}
