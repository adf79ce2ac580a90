import { LIMITS, type LimitName, type Limits, limitsWith } from '../limits.ts';
import type { Config, Issue } from './config.ts';
import { featuresOf } from './features.ts';
import type { Fillings } from './fillings.ts';
import { bareHost, browserOrigin, HOST, isLoopback } from './hosts.ts';
import type { Findings } from './issue.ts';
import type { Layered } from './layers.ts';
import type { GatewayShape } from './schema.ts';
import { inUnit } from './units.ts';

type GatewayParts = Pick<
  Config,
  | 'host'
  | 'port'
  | 'trustedHosts'
  | 'trustedProxies'
  | 'publicUrl'
  | 'allowedOrigins'
  | 'insecureNoAuth'
  | 'prefix'
  | 'strategy'
  | 'instructions'
  | 'healthDetails'
  | 'features'
  | 'passthroughExtensions'
>;

interface Input extends Findings {
  readonly layers: Pick<Layered, 'gateway' | 'sourceOf'>;
  readonly fillings: Fillings;
  /** Problems of the environment and the command line: they have no place in the file. */
  readonly elsewhere: Issue[];
}

const HOST_PATH = ['gateway', 'host'];

/** The limits in force: defaults with those that are written. */
export function limitsOf(shape: GatewayShape): Limits {
  const changed: Partial<Record<LimitName, number>> = {};
  for (const name of Object.keys(LIMITS) as LimitName[]) {
    const written = name.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], shape);
    const value = inUnit(written, LIMITS[name].unit);
    if (value !== undefined) changed[name] = value;
  }
  return limitsWith(changed);
}

/** Where and how the gateway listens. */
export async function gatewayParts(input: Input): Promise<GatewayParts> {
  const shape = input.layers.gateway;
  const insecureNoAuth = shape.insecureNoAuth ?? false;
  return {
    host: await hostOf(input, insecureNoAuth),
    port: portOf(input),
    trustedHosts: (shape.trustedHosts ?? []).map(bareHost),
    trustedProxies: (shape.trustedProxies ?? []).map((proxy) => proxy.toLowerCase()),
    publicUrl: shape.publicUrl === undefined ? undefined : new URL(shape.publicUrl).href.replace(/\/+$/, ''),
    allowedOrigins: (shape.allowedOrigins ?? []).map(browserOrigin),
    insecureNoAuth,
    prefix: shape.naming?.prefix ?? 'always',
    strategy: shape.strategy ?? 'one_for_one',
    instructions: shape.instructions ?? 'full',
    healthDetails: shape.health?.details ?? 'auto',
    features: featuresOf(shape.features),
    passthroughExtensions: shape.passthroughExtensions ?? {},
  };
}

async function hostOf({ layers, fillings, problems, elsewhere }: Input, insecureNoAuth: boolean): Promise<string> {
  const { host: raw = '127.0.0.1' } = layers.gateway;
  const source = layers.sourceOf('host');
  const written = source === undefined ? await fillings.text(raw, HOST_PATH) : raw;
  // Undefined: the template of the file has a problem, which is already noted.
  if (written === undefined) return '127.0.0.1';
  const host = bareHost(String(written));
  const message = hostComplaint(host, typeof written === 'string', insecureNoAuth);
  if (message !== undefined && source === undefined) problems.push({ path: HOST_PATH, at: 'value', message });
  if (message !== undefined && source !== undefined) elsewhere.push({ file: source, message });
  return host;
}

function hostComplaint(host: string, isPlain: boolean, insecureNoAuth: boolean): string | undefined {
  if (!isPlain) return 'the host cannot be a secret; use a variable';
  if (!HOST.test(host)) return 'expected a host name or IP address, without scheme, port or path';
  if (isLoopback(host) || insecureNoAuth) return undefined;
  return `other machines can reach ${host}, and the gateway has no authentication; use 127.0.0.1, or set gateway.insecureNoAuth to true if something in front of it authenticates`;
}

/** That of the file or a variable is checked by the schema; here that of the command line, or of a program that uses the library. */
function portOf({ layers, elsewhere }: Input): number {
  const { port = 3050 } = layers.gateway;
  const legal = Number.isInteger(port) && port >= 0 && port <= 65_535;
  if (!legal) elsewhere.push({ file: '--port', message: 'expected a port number from 0 to 65535' });
  return port;
}
