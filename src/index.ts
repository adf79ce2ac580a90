/** The library face of onemcp: the same gateway that `onemcp run` starts. */
export type { BackendSpec, Config, Issue, RemoteBackendSpec, Secret, StdioBackendSpec } from './config/config.ts';
export { formatIssue, loadConfig } from './config/load.ts';
export { type ErrorCode, OnemcpError, WireError } from './errors.ts';
export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export { LIMITS, type Limits } from './limits.ts';
export type { BackendState, BackendView, World } from './world.ts';
