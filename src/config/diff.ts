/** What changes from one configuration to the next, as a plan that touches only what changed. Pure. */
import { LIMITS, type LimitName } from '../limits.ts';
import type { BackendSpec, Config, MaybeSecret, Plan, RemoteBackendSpec, StdioBackendSpec } from './config.ts';
import { FEATURE_NAMES } from './features.ts';
import { revealed } from './fillings.ts';

type SpecKey = Exclude<keyof StdioBackendSpec | keyof RemoteBackendSpec, 'name'>;

/**
 * What a change of each option means for a running server. `swap`: its process or its session was made with the value;
 * `retag`: the value is looked up when it is needed.
 */
const MEANS: Readonly<Record<SpecKey, 'swap' | 'retag'>> = {
  kind: 'swap',
  command: 'swap',
  args: 'swap',
  env: 'swap',
  cwd: 'swap',
  url: 'swap',
  headers: 'swap',
  type: 'swap',
  // Decides what `initialize` declares.
  isolation: 'swap',
  requestTimeout: 'swap',
  requestTotalTimeout: 'swap',
  namespace: 'retag',
  tags: 'retag',
  critical: 'retag',
  samplingContext: 'retag',
  restart: 'retag',
  dependsOn: 'retag',
  lazy: 'retag',
  handoff: 'retag',
  retry: 'retag',
  enabledTools: 'retag',
  disabledTools: 'retag',
  startTimeout: 'retag',
  installTimeout: 'retag',
  idleTimeout: 'retag',
  queueTimeout: 'retag',
  maxConcurrency: 'retag',
  maxQueue: 'retag',
  maxMemory: 'retag',
};
const SPEC_KEYS = Object.keys(MEANS) as SpecKey[];

/** Options of the gateway as they are written, by where they are kept; all are taken over once, at the start. */
const GATEWAY_OPTIONS = {
  host: 'host',
  port: 'port',
  trustedHosts: 'trustedHosts',
  trustedProxies: 'trustedProxies',
  publicUrl: 'publicUrl',
  allowedOrigins: 'allowedOrigins',
  insecureNoAuth: 'insecureNoAuth',
  prefix: 'naming.prefix',
  stateDir: 'stateDir',
  instructions: 'instructions',
  healthDetails: 'health.details',
  passthroughExtensions: 'passthroughExtensions',
  webhooks: 'alerts.webhooks',
  traces: 'traces',
} as const satisfies Partial<Record<keyof Config, string>>;

/** Limits that need no restart: defaults of options of servers take effect through those, those of secrets and of discovery with each reading. */
const DEFAULTS: ReadonlySet<LimitName> = new Set<LimitName>([
  'startTimeout',
  'installTimeout',
  'requestTimeout',
  'requestTotalTimeout',
  'idleTimeout',
  'queueTimeout',
  'maxConcurrency',
  'maxQueue',
  'maxMemory',
  'secrets.timeout',
  'secrets.maxBytes',
  'secrets.poll',
  'discovery.wait',
  'discovery.retryInitial',
  'discovery.retryMax',
]);

/**
 * The plan from the configuration that runs to the next one. Two that say the same give a plan that does nothing.
 * @param started the configuration the gateway was started with, whose own options are in force until its end
 */
export function planOf(current: Config, next: Config, started: Config = current): Plan {
  const before = new Map(current.backends.map((spec) => [spec.name, spec]));
  const order = next.backends.map(({ name }) => name);
  const after = new Set(order);
  const fates = next.backends.map((spec) => ({ spec, fate: fateOf(before.get(spec.name), spec) }));
  const those = (wanted: Fate) => fates.filter(({ fate }) => fate === wanted).map(({ spec }) => spec);
  return {
    start: those('start'),
    stop: current.backends.map(({ name }) => name).filter((name) => !after.has(name)),
    swap: those('swap'),
    retag: those('retag'),
    unchanged: those('unchanged').map(({ name }) => name),
    order,
    needsRestart: needsRestart(started, next),
  };
}

/** Whether a plan asks for nothing: the order of the servers may still differ. */
export const isEmptyPlan = ({ start, stop, swap, retag }: Plan): boolean => [start, stop, swap, retag].every((part) => part.length === 0);

type Fate = 'start' | 'swap' | 'retag' | 'unchanged';

function fateOf(before: BackendSpec | undefined, after: BackendSpec): Fate {
  if (!before) return 'start';
  const changed = SPEC_KEYS.filter((key) => !isEqual(optionOf(before, key), optionOf(after, key)));
  if (changed.length === 0) return 'unchanged';
  return changed.some((key) => MEANS[key] === 'swap') ? 'swap' : 'retag';
}

const optionOf = (spec: BackendSpec, key: SpecKey): unknown => (spec as Partial<Record<SpecKey, unknown>>)[key];

function needsRestart(current: Config, next: Config): string[] {
  const options = Object.entries(GATEWAY_OPTIONS).flatMap(([key, written]) => {
    const kept = key as keyof typeof GATEWAY_OPTIONS;
    return isEqual(current[kept], next[kept]) ? [] : [written];
  });
  const features = FEATURE_NAMES.filter((name) => current.features[name] !== next.features[name]).map((name) => `features.${name}`);
  const limits = (Object.keys(LIMITS) as LimitName[]).filter((name) => !DEFAULTS.has(name) && current.limits[name] !== next.limits[name]);
  return [...options, ...features, ...limits].map((name) => `gateway.${name}`);
}

/** Lists in order, objects without order, secrets by what is behind them. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isText(a) || isText(b)) return isText(a) && isText(b) && revealed(a) === revealed(b);
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(b)) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && isEqual(left[key], right[key]));
}

const isText = (value: unknown): value is MaybeSecret =>
  typeof value === 'string' || typeof (value as { reveal?: unknown } | undefined | null)?.reveal === 'function';
