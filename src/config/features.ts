/** Switches of whole functions: `gateway.features`. A closed table; what is off is not there at all. */

interface Feature {
  readonly default: boolean;
  readonly help: string;
}

export const FEATURES = {
  legacySse: { default: true, help: 'Serve the transport of 2024-11-05 (HTTP+SSE) at /sse and /messages, for old clients.' },
  metrics: { default: true, help: 'Count what happens, and show it to Prometheus at /metrics.' },
  openapi: { default: true, help: 'Describe the HTTP interface at /openapi.json.' },
  reload: {
    default: true,
    help: 'Watch the configuration and its secrets, and apply what changes; without it they are read again only when somebody asks (SIGHUP, onemcp reload).',
  },
  catalog: { default: true, help: 'Remember in the state folder what servers offer, so that the next start has it at once.' },
  control: { default: true, help: 'Open the control socket, by which the commands that look at or operate the gateway find it.' },
} as const satisfies Readonly<Record<string, Feature>>;

export type FeatureName = keyof typeof FEATURES;
export type Features = Readonly<Record<FeatureName, boolean>>;

export const FEATURE_NAMES = Object.keys(FEATURES) as FeatureName[];

/** The switches in force: defaults with those that are written. */
export const featuresOf = (written: Partial<Record<FeatureName, boolean | undefined>> = {}): Features =>
  Object.fromEntries(FEATURE_NAMES.map((name) => [name, written[name] ?? FEATURES[name].default])) as Features;

/** Keys of the file that have become others, by their dotted path. */
export const MOVED: Readonly<Record<string, string>> = {
  'gateway.legacySse': 'gateway.features.legacySse',
  'gateway.metrics': 'gateway.features.metrics',
};
