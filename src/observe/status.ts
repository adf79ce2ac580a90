import type { Issue, SourceState } from '../config/config.ts';
import type { BackendState, BackendView, World } from '../world.ts';
import { type HealthLevel, healthLevel, type SourceHealth, sourceHealth } from './health.ts';
import type { Story, Transition } from './story.ts';

/** Facts about the gateway that are not in the World. */
export interface StatusFacts {
  readonly version: string;
  readonly pid: number;
  /** Where clients come in; undefined: on stdio. */
  readonly url: string | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly now: number;
  readonly story: (name: string) => Story | undefined;
  /** Where servers come from besides the configuration file. */
  readonly sources?: readonly SourceState[];
  /** Requests that wait for a backend, and bytes of memory of its processes, where they are known. */
  readonly queued?: ((name: string) => number | undefined) | undefined;
  readonly memory?: ((name: string) => number | undefined) | undefined;
}

/** What `onemcp status --json` prints. Times are ISO 8601, memory in bytes; fields that do not apply are left out. */
export interface StatusDocument {
  readonly version: string;
  readonly pid: number;
  readonly url?: string;
  readonly startedAt: string;
  readonly timestamp: string;
  readonly phase: World['phase'];
  readonly status: HealthLevel;
  readonly configuration: {
    readonly file: string;
    /** Counts the configurations that were applied, from 1. */
    readonly revision: number;
    readonly appliedAt: string;
    readonly disabled: readonly string[];
    /** Why some of them are not used although the file does not disable them. */
    readonly inactive?: Readonly<Record<string, string>>;
    /** Why the file as it is now was not applied. */
    readonly lastError?: { readonly at: string; readonly issues: readonly Issue[] };
    /** Where servers come from besides the file, when there is any. */
    readonly sources?: readonly SourceHealth[];
  };
  readonly servers: readonly ServerStatus[];
}

export interface ServerStatus {
  readonly name: string;
  /** The first part of its exposed names, where that is not its name. */
  readonly namespace?: string;
  readonly status: BackendState;
  readonly since: string;
  readonly generation: number;
  readonly tools: number;
  readonly prompts: number;
  /** With templates. */
  readonly resources: number;
  /** Connections after the first one. */
  readonly restarts: number;
  /** Consecutive failures. */
  readonly failures: number;
  readonly critical?: true;
  readonly inFlight?: number;
  readonly queued?: number;
  readonly pid?: number;
  readonly memory?: number;
  readonly lastConnected?: string;
  readonly nextRetry?: string;
  /** While it is not connected. */
  readonly lastError?: string;
  readonly waitsFor?: readonly string[];
  readonly asleep?: true;
  readonly held?: { readonly since: string; readonly until?: string };
  readonly next?: {
    readonly generation: number;
    readonly status: BackendState;
    readonly since: string;
    readonly lastError?: string;
    readonly nextRetry?: string;
  };
  /** When its lists were read, while they are those of an earlier run. */
  readonly remembered?: string;
  /** Connections besides the first. */
  readonly instances?: number;
  /** State changes so far, and the newest of them. */
  readonly changes: number;
  readonly recent: readonly Change[];
}

/** A `Transition` for people and programs. */
export interface Change extends Omit<Transition, 'at'> {
  readonly at: string;
}

/** State changes of each server that the status shows. */
const RECENT = 5;

/** The World as a document for operators: a pure projection. */
export function statusOf(world: World, facts: StatusFacts): StatusDocument {
  const { version, pid, url, startedAt, now, sources = [] } = facts;
  const { file, revision, appliedAt, disabled, inactive, lastError } = world.config;
  return {
    version,
    pid,
    ...(url !== undefined && { url }),
    startedAt: iso(startedAt),
    timestamp: iso(now),
    phase: world.phase,
    status: healthLevel(world),
    configuration: {
      file,
      revision,
      appliedAt: iso(appliedAt),
      disabled,
      ...(inactive && { inactive }),
      ...(lastError && { lastError: { at: iso(lastError.at), issues: lastError.issues } }),
      ...(sources.length > 0 && { sources: sources.map(sourceHealth) }),
    },
    servers: [...world.backends.values()].map((view) => serverStatus(view, world, facts)),
  };
}

/** How a server is that is configured, but not used: `is disabled in the configuration`. Undefined: it is used, or unknown. */
export function notUsed(
  { disabled, inactive }: Pick<StatusDocument['configuration'], 'disabled' | 'inactive'>,
  name: string,
): string | undefined {
  if (!disabled.includes(name)) return undefined;
  const reason = inactive && Object.hasOwn(inactive, name) ? inactive[name] : undefined;
  return reason === undefined ? 'is disabled in the configuration' : `does not run: ${reason}`;
}

/** One server as `statusOf` shows it. */
export function serverStatus(view: BackendView, { instances }: World, { story, queued, memory }: StatusFacts): ServerStatus {
  const { name, state, session, items, held, next } = view;
  const known = story(name);
  const own = [...instances.values()].filter((instance) => instance.name === name).length;
  return {
    name,
    ...(view.namespace !== name && { namespace: view.namespace }),
    status: state,
    since: iso(view.since),
    generation: view.generation,
    tools: items.tools.length,
    prompts: items.prompts.length,
    resources: items.resources.length + items.templates.length,
    restarts: Math.max(0, view.connects - 1),
    failures: view.failures,
    ...(view.critical && { critical: true as const }),
    ...(session && { inFlight: session.inFlight }),
    ...optional('queued', queued?.(name)),
    ...optional('pid', session?.pid),
    ...optional('memory', memory?.(name)),
    ...optional('lastConnected', isoIf(view.lastConnected)),
    ...optional('nextRetry', isoIf(view.retryAt)),
    ...optional('lastError', state === 'connected' ? undefined : view.lastError?.message),
    ...(view.waitsFor.length > 0 && { waitsFor: view.waitsFor }),
    ...(view.asleep && { asleep: true as const }),
    ...(held && { held: { since: iso(held.since), ...optional('until', isoIf(held.until)) } }),
    ...(next && { next: successorStatus(next) }),
    ...optional('remembered', isoIf(view.remembered)),
    ...(own > 0 && { instances: own }),
    changes: known?.changes ?? 0,
    recent: (known?.path ?? []).slice(-RECENT).map(changeOf),
  };
}

const successorStatus = ({ generation, state, since, lastError, retryAt }: NonNullable<BackendView['next']>) => ({
  generation,
  status: state,
  since: iso(since),
  ...optional('lastError', lastError?.message),
  ...optional('nextRetry', isoIf(retryAt)),
});

export const changeOf = ({ at, ...rest }: Transition): Change => ({ at: iso(at), ...rest });

export const iso = (ms: number): string => new Date(ms).toISOString();
export const isoIf = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : iso(ms));

/** A field that is left out when there is nothing to say. */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };
}
