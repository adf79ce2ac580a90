import type { SourceState } from '../config/config.ts';
import { formatIssue } from '../config/issue.ts';
import type { BackendView, InstanceView, Successor, World } from '../world.ts';

export type HealthLevel = 'healthy' | 'degraded' | 'unhealthy';

/** Facts that are not in the World. */
export interface Vitals {
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  /** Bytes. */
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly rss: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly transport: 'http' | 'stdio';
  /** What no client sees of a backend, in sentences: see hidden.ts. */
  readonly hidden?: ReadonlyMap<string, readonly string[]>;
  /** The requests that wait for a backend; undefined while there are none. */
  readonly waitingFor?: (backend: string) => Waiting | undefined;
  /** What is wrong with the gateway itself, in sentences. */
  readonly problems?: readonly string[];
  /** Where servers come from besides the configuration file. */
  readonly sources?: readonly SourceState[];
}

/** Requests of clients that wait for a backend, whatever they wait for. */
interface Waiting {
  readonly queued: number;
  /** Milliseconds that the oldest of them has waited. */
  readonly queueAgeMs: number;
}

export interface ServerHealth {
  readonly name: string;
  readonly status: BackendView['state'] | 'disabled';
  readonly healthy: boolean;
  /** Why it is not used, although the file does not disable it. */
  readonly reason?: string;
  /** Stopped until a request needs it. */
  readonly asleep?: true;
  /** Requests wait, by wish of an operator: until then (ISO 8601), or until it is resumed. */
  readonly drained?: string | true;
  /** Servers it depends on that are not connected. */
  readonly waitsFor?: readonly string[];
  /** Its new version, while that is not connected and the old one serves. */
  readonly successor?: SuccessorHealth;
  /** ISO 8601: when its lists were read, while they are those of an earlier run. */
  readonly listsFrom?: string;
  readonly tags?: readonly string[];
  readonly critical?: true;
  /** ISO 8601. */
  readonly since?: string;
  readonly lastConnected?: string;
  readonly lastError?: string;
  /** ISO 8601, while retrying. */
  readonly nextRetry?: string;
  /** Consecutive failures, while there are any. */
  readonly failures?: number;
  /** Requests in flight, while connected. */
  readonly inFlight?: number;
  /** Requests that wait for a place, a connection or its operator, and for how long the oldest has, while there are any. */
  readonly queued?: number;
  readonly queueAgeMs?: number;
  readonly pid?: number;
  /** What is wrong with its lists. */
  readonly notes?: readonly string[];
  /** Its further connections, when it has any. */
  readonly instances?: readonly InstanceHealth[];
}

export interface SuccessorHealth {
  readonly status: BackendView['state'];
  readonly generation: number;
  readonly lastError?: string;
  /** ISO 8601. */
  readonly nextRetry?: string;
}

/** A connection to a server besides its first. Which there are depends on who is there: it says nothing of the server. */
export interface InstanceHealth {
  readonly id: string;
  readonly status: BackendView['state'];
  readonly pid?: number;
  /** Requests in flight, while connected. */
  readonly inFlight?: number;
  readonly lastError?: string;
}

/** The body of `GET /health`. Times are ISO 8601, memory is in MiB, `uptime` in seconds. */
export interface Health {
  readonly status: HealthLevel;
  readonly phase: World['phase'];
  readonly timestamp: string;
  readonly version: string;
  readonly system: {
    readonly uptime: number;
    readonly memory: { readonly used: number; readonly total: number; readonly percentage: number; readonly rss: number };
  };
  readonly servers: {
    readonly total: number;
    readonly healthy: number;
    readonly unhealthy: number;
    readonly details: readonly ServerHealth[];
  };
  readonly configuration: {
    readonly loaded: boolean;
    readonly serverCount: number;
    readonly enabledCount: number;
    readonly disabledCount: number;
    readonly authEnabled: boolean;
    readonly transport: 'http' | 'stdio';
    /** Counts the configurations that were applied, from 1. */
    readonly revision: number;
    readonly appliedAt: string;
    /** Why the file as it is now was not applied; the one before is in force. */
    readonly lastError?: ConfigurationError;
    /** Where servers come from besides the file, when there is any. */
    readonly sources?: readonly SourceHealth[];
  };
  /** What is wrong with the gateway itself, while anything is: it serves all the same. */
  readonly problems?: readonly string[];
}

/** A source of servers besides the configuration file. */
export interface SourceHealth {
  /** `conf.d`, `docker`, `kubernetes`. */
  readonly name: string;
  /** `failing`: what it had last is still in force; `waiting`: it has not answered yet. */
  readonly status: SourceState['status'];
  /** ISO 8601. */
  readonly since: string;
  /** Servers of it that are used. */
  readonly servers: number;
  readonly lastError?: string;
  /** Why single servers of it are left out, the first ones, and what is odd about others. */
  readonly notes?: readonly string[];
}

interface ConfigurationError {
  /** ISO 8601. */
  readonly at: string;
  /** The first ones as `file:line:column path: text`. */
  readonly issues: readonly string[];
  /** How many there are. */
  readonly count: number;
}

/** Issues of the configuration that are shown; `onemcp check` has them all. */
const MOST_ISSUES = 5;

/**
 * How the whole is: `unhealthy` when no enabled backend is usable or a critical one is down, `degraded` when any is, or
 * while the gateway is going down.
 */
export function healthLevel({ phase, backends }: World): HealthLevel {
  const views = [...backends.values()];
  const down = views.filter((view) => !isUsable(view));
  if (down.some(({ critical }) => critical)) return 'unhealthy';
  if (views.length > 0 && down.length === views.length) return 'unhealthy';
  return down.length > 0 || (phase !== 'running' && phase !== 'booting') ? 'degraded' : 'healthy';
}

/** It serves, or will as soon as somebody asks it. */
export const isUsable = ({ state, asleep, held }: BackendView): boolean => (state === 'connected' || asleep) && !held;

/** Ready: configuration loaded, listening, not draining. */
export const isReady = ({ phase, config }: World): boolean => config.loaded && phase === 'running';

/** HTTP status of a health level. */
export const healthStatus = (level: HealthLevel): 200 | 503 => (level === 'unhealthy' ? 503 : 200);

/** The World as the guide's health document: a pure projection, nothing is remembered. */
export function health(world: World, vitals: Vitals): Health {
  const views = [...world.backends.values()];
  const { inactive = {} } = world.config;
  const reasonOf = (name: string) => (Object.hasOwn(inactive, name) ? { reason: inactive[name] as string } : {});
  const disabled: ServerHealth[] = world.config.disabled.map((name) => ({ name, status: 'disabled', healthy: false, ...reasonOf(name) }));
  const instances = instancesByBackend(world);
  const details = [...views.map((view) => serverHealth(view, vitals, instances.get(view.name))), ...disabled];
  const healthy = views.filter(isUsable).length;
  const { problems = [] } = vitals;
  const level = healthLevel(world);
  return {
    status: level === 'healthy' && problems.length > 0 ? 'degraded' : level,
    phase: world.phase,
    timestamp: iso(vitals.now),
    version: vitals.version,
    system: {
      uptime: Math.floor(vitals.uptime),
      memory: {
        used: mebibytes(vitals.heapUsed),
        total: mebibytes(vitals.heapTotal),
        percentage: Math.round((vitals.heapUsed / vitals.heapTotal) * 1000) / 10,
        rss: mebibytes(vitals.rss),
      },
    },
    servers: { total: details.length, healthy, unhealthy: views.length - healthy, details },
    configuration: {
      loaded: world.config.loaded,
      serverCount: world.config.serverCount,
      enabledCount: views.length,
      disabledCount: disabled.length,
      authEnabled: false,
      transport: vitals.transport,
      revision: world.config.revision,
      appliedAt: iso(world.config.appliedAt),
      ...(world.config.lastError && { lastError: configurationError(world.config.lastError) }),
      ...(vitals.sources && vitals.sources.length > 0 && { sources: vitals.sources.map(sourceHealth) }),
    },
    ...(problems.length > 0 && { problems }),
  };
}

/** What a stranger may know: how many servers there are and how they are, but no names, texts or places. */
export type MinimalHealth = Omit<Health, 'servers' | 'configuration' | 'problems'> & {
  readonly servers: Omit<Health['servers'], 'details'>;
  readonly configuration: Omit<Health['configuration'], 'lastError' | 'sources'> & {
    readonly lastError?: Pick<ConfigurationError, 'at' | 'count'>;
  };
};

export function withoutDetails({ problems: _, servers, configuration, ...rest }: Health): MinimalHealth {
  const { details: _details, ...counts } = servers;
  const { lastError, sources: _sources, ...settings } = configuration;
  return {
    ...rest,
    servers: counts,
    configuration: { ...settings, ...(lastError && { lastError: { at: lastError.at, count: lastError.count } }) },
  };
}

export const sourceHealth = ({ name, status, since, servers, lastError, notes }: SourceState): SourceHealth => ({
  name,
  status,
  since: iso(since),
  servers,
  ...(lastError !== undefined && { lastError }),
  ...(notes.length > 0 && { notes: notes.slice(0, MOST_ISSUES) }),
});

/** Without the secrets that its texts may hold. */
export const shownSource = ({ lastError, notes, ...state }: SourceState, redact: (text: string) => string): SourceState => ({
  ...state,
  ...(lastError !== undefined && { lastError: redact(lastError) }),
  notes: notes.map((note) => redact(note)),
});

/** A source that fails is a problem of the gateway: it serves all the same, with what it knew. */
export const sourceProblems = (sources: readonly SourceState[]): readonly string[] =>
  sources.flatMap(({ name, lastError }) => (lastError === undefined ? [] : [`servers of ${name} cannot be read: ${lastError}`]));

function serverHealth(view: BackendView, { hidden, waitingFor }: Vitals, instances: readonly InstanceHealth[] | undefined): ServerHealth {
  const notes = [...view.notes, ...(hidden?.get(view.name) ?? [])];
  const { name, state, tags, since, lastConnected, lastError, retryAt, failures, session } = view;
  const connected = state === 'connected';
  return {
    name,
    status: state,
    healthy: isUsable(view),
    ...(view.asleep && { asleep: true as const }),
    ...(view.held && { drained: view.held.until === undefined ? true : iso(view.held.until) }),
    ...(view.waitsFor.length > 0 && { waitsFor: view.waitsFor }),
    ...(view.next && { successor: successorHealth(view.next) }),
    ...(view.remembered !== undefined && { listsFrom: iso(view.remembered) }),
    tags,
    ...(view.critical && { critical: true as const }),
    since: iso(since),
    ...(lastConnected !== undefined && { lastConnected: iso(lastConnected) }),
    ...(lastError && !connected && { lastError: lastError.message }),
    ...(retryAt !== undefined && { nextRetry: iso(retryAt) }),
    ...(failures > 0 && { failures }),
    ...(session && { inFlight: session.inFlight }),
    ...waitingFor?.(name),
    ...(session?.pid !== undefined && { pid: session.pid }),
    ...(notes.length > 0 && { notes }),
    ...(instances && { instances }),
  };
}

const configurationError = ({ at, issues }: NonNullable<World['config']['lastError']>): ConfigurationError => ({
  at: iso(at),
  issues: issues.slice(0, MOST_ISSUES).map(formatIssue),
  count: issues.length,
});

const successorHealth = ({ state, generation, lastError, retryAt }: Successor): SuccessorHealth => ({
  status: state,
  generation,
  ...(lastError && { lastError: lastError.message }),
  ...(retryAt !== undefined && { nextRetry: iso(retryAt) }),
});

function instancesByBackend({ instances }: World): ReadonlyMap<string, readonly InstanceHealth[]> {
  const found = new Map<string, InstanceHealth[]>();
  for (const view of instances.values()) found.set(view.name, [...(found.get(view.name) ?? []), instanceHealth(view)]);
  return found;
}

const instanceHealth = ({ instance: { id }, state, session, lastError }: InstanceView): InstanceHealth => ({
  id,
  status: state,
  ...(session?.pid !== undefined && { pid: session.pid }),
  ...(session && { inFlight: session.inFlight }),
  ...(lastError && state !== 'connected' && { lastError: lastError.message }),
});

const iso = (ms: number): string => new Date(ms).toISOString();
const mebibytes = (bytes: number): number => Math.round((bytes / 1024 / 1024) * 10) / 10;
