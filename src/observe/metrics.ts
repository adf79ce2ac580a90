/** The gateway as numbers: a pure projection of the World and of what is counted. */
import { CALL_ERRORS, type CallStats, COUNTED_METHODS, DURATIONS, OUTCOMES } from '../mcp/callStats.ts';
import { BACKEND_STATES, type BackendView, type InstanceView, type World } from '../world.ts';
import type { MetricName } from './families.ts';
import { type HealthLevel, healthLevel, isUsable } from './health.ts';
import type { ChangedKind } from './listChanged.ts';
import type { ReloadResult, Tally } from './tally.ts';

/** One line of `/metrics`. `suffix` is that of a part of a histogram. */
export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

/** What is known of the calls to one backend. */
export interface CallFacts {
  readonly stats: CallStats | undefined;
  readonly inFlight: number;
  readonly queued: number;
  readonly queueAgeMs: number;
}

/** What is not in the World. */
export interface Facts {
  readonly version: string;
  readonly nodeVersion: string;
  readonly sessions: number;
  readonly eventStreams: number;
  /** Whether something is wrong with the gateway itself. */
  readonly hasProblems: boolean;
  /** Undefined: no request has been there. */
  readonly calls: (backend: string) => CallFacts | undefined;
  /** Requests that belong to no backend. */
  readonly unrouted: CallStats | undefined;
  readonly transport: (backend: string) => 'stdio' | 'http' | 'sse';
  /** `list_changed` notifications so far. */
  readonly announced: Readonly<Record<ChangedKind, number>>;
  readonly tally: Pick<Tally, 'reloads' | 'coalesced' | 'unreadClosed' | 'restarts'>;
}

export type Samples = Readonly<Record<MetricName, readonly Sample[]>>;

const CHANGED_KINDS: readonly ChangedKind[] = ['tools', 'prompts', 'resources'];
const RESULTS: readonly ReloadResult[] = ['applied', 'unchanged', 'rejected'];
const STATUS: Readonly<Record<HealthLevel, number>> = { healthy: 0, degraded: 1, unhealthy: 2 };

/** All samples now. Only backends that are configured have any. */
export function samplesOf(world: World, facts: Facts): Samples {
  const { tally, announced, unrouted } = facts;
  const views = [...world.backends.values()];
  const instances = instancesByBackend(world);
  const calls = new Map(views.map(({ name }) => [name, facts.calls(name)]));
  const each = (value: (view: BackendView) => number): Sample[] =>
    views.map((view) => ({ value: value(view), labels: { server: view.name } }));
  const byServer = (samples: (server: string, stats: CallStats | undefined) => readonly Sample[]): Sample[] =>
    views.flatMap(({ name }) => samples(name, calls.get(name)?.stats));
  return {
    onemcp_calls_total: [...byServer(callSamples), ...callSamples('', unrouted)],
    onemcp_call_errors_total: [...byServer(errorSamples), ...errorSamples('', unrouted)],
    onemcp_call_repeats_total: each(({ name }) => calls.get(name)?.stats?.repeats ?? 0),
    onemcp_call_duration_seconds: byServer(durationSamples),
    onemcp_calls_in_flight: each(({ name }) => calls.get(name)?.inFlight ?? 0),
    onemcp_queue_length: each(({ name }) => calls.get(name)?.queued ?? 0),
    onemcp_queue_age_seconds: each(({ name }) => (calls.get(name)?.queueAgeMs ?? 0) / 1000),
    onemcp_sessions: one(facts.sessions),
    onemcp_event_streams: one(facts.eventStreams),
    onemcp_unread_closed_total: one(tally.unreadClosed),
    onemcp_backend_info: views.map(({ name }) => ({ value: 1, labels: { server: name, transport: facts.transport(name) } })),
    onemcp_backend_state: views.flatMap(stateSamples),
    onemcp_backend_up: each((view) => (isUsable(view) ? 1 : 0)),
    onemcp_backend_instances: each(({ name }) => instances.get(name)?.length ?? 0),
    onemcp_backend_restarts_total: each(({ name }) => tally.restarts(name)),
    onemcp_list_changed_total: CHANGED_KINDS.map((kind) => ({ value: announced[kind], labels: { kind } })),
    onemcp_list_changed_coalesced_total: CHANGED_KINDS.map((kind) => ({ value: tally.coalesced[kind], labels: { kind } })),
    onemcp_reloads_total: RESULTS.map((result) => ({ value: tally.reloads[result], labels: { result } })),
    onemcp_config_last_reload_successful: one(world.config.lastError ? 0 : 1),
    onemcp_gateway_status: one(Math.max(STATUS[healthLevel(world)], facts.hasProblems ? STATUS.degraded : 0)),
    onemcp_build_info: [{ value: 1, labels: { version: facts.version, node: facts.nodeVersion } }],
  };
}

const one = (value: number): readonly Sample[] => [{ value, labels: {} }];

/** Tool calls always, so that their first failure is an increase; other methods once they were used. */
function callSamples(server: string, stats: CallStats | undefined): readonly Sample[] {
  return COUNTED_METHODS.flatMap((method, row) => {
    const counts = OUTCOMES.map((_, column) => stats?.calls[row * OUTCOMES.length + column] ?? 0);
    if (row > 0 && counts.every((count) => count === 0)) return [];
    return OUTCOMES.map((outcome, column) => ({ value: counts[column] as number, labels: { server, method, outcome } }));
  });
}

function errorSamples(server: string, stats: CallStats | undefined): readonly Sample[] {
  return CALL_ERRORS.flatMap((code, index) => {
    const value = stats?.errors[index] ?? 0;
    return value > 0 ? [{ value, labels: { server, code } }] : [];
  });
}

/** A histogram as Prometheus wants it: each bucket with all that are shorter. */
function durationSamples(server: string, stats: CallStats | undefined): readonly Sample[] {
  let count = 0;
  const buckets = [...DURATIONS, Number.POSITIVE_INFINITY].map((ms, index): Sample => {
    count += stats?.durations[index] ?? 0;
    const le = Number.isFinite(ms) ? String(ms / 1000) : '+Inf';
    return { suffix: '_bucket', value: count, labels: { server, le } };
  });
  return [
    ...buckets,
    { suffix: '_sum', value: (stats?.total ?? 0) / 1000, labels: { server } },
    { suffix: '_count', value: count, labels: { server } },
  ];
}

const stateSamples = ({ name, state: current }: BackendView): readonly Sample[] =>
  BACKEND_STATES.map((state) => ({ value: state === current ? 1 : 0, labels: { server: name, state } }));

function instancesByBackend({ instances }: World): ReadonlyMap<string, readonly InstanceView[]> {
  const found = new Map<string, InstanceView[]>();
  for (const view of instances.values()) {
    const known = found.get(view.name);
    if (known) known.push(view);
    else found.set(view.name, [view]);
  }
  return found;
}
