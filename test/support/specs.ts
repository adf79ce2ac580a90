import type { BackendSpec } from '../../src/config/config.ts';

/** What every backend has, whatever its kind, with the defaults of the configuration. */
export const BASE_SPEC = {
  tags: [],
  critical: false,
  isolation: 'auto',
  samplingContext: false,
  restart: 'always',
  dependsOn: [],
  lazy: false,
  handoff: 'swap',
  retry: 'safe',
  startTimeout: 30_000,
  installTimeout: 30_000,
  requestTimeout: 60_000,
  requestTotalTimeout: 900_000,
  idleTimeout: 0,
  queueTimeout: 5_000,
  maxConcurrency: 128,
  maxQueue: 128,
} as const satisfies Partial<BackendSpec>;

/** What is shown of a configuration without problems. */
export const CONFIG_VIEW = {
  loaded: true,
  file: 'mcp.json',
  serverCount: 0,
  disabled: [],
  revision: 1,
  appliedAt: 0,
  lastError: undefined,
};
