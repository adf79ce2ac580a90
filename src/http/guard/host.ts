import type { MiddlewareHandler } from 'hono';
import { OnemcpError } from '../../errors.ts';
import { errorAnswer } from '../answer.ts';

/** Names that always mean this machine. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1'];

export interface HostGuardOptions {
  /** Names besides loopback under which the gateway may be called. */
  readonly trustedHosts: readonly string[];
  /** Origins besides loopback ones. */
  readonly allowedOrigins: readonly string[];
}

/** Why a request with these headers is refused; undefined if it is not. */
export type HostGuard = (host: string | undefined, origin: string | undefined) => OnemcpError | undefined;

/**
 * Refuses foreign `Host` and `Origin` headers: a browser page must not reach a local gateway, not even by DNS rebinding.
 * MCP basic/transports §Security Warning.
 */
export function createHostGuard({ trustedHosts, allowedOrigins }: HostGuardOptions): HostGuard {
  const hosts = new Set([...LOOPBACK, ...trustedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set(allowedOrigins);
  return (host, origin) => {
    if (host === undefined || !hosts.has(hostName(host))) {
      const name = host?.slice(0, 100) ?? '';
      return new OnemcpError('forbidden_host', `Host "${name}" is not trusted; add it to gateway.trustedHosts if it is yours`);
    }
    if (origin !== undefined && !origins.has(origin) && !isLoopback(origin)) {
      const name = origin.slice(0, 100);
      return new OnemcpError('forbidden_origin', `Origin "${name}" is not allowed; add it to gateway.allowedOrigins if it is yours`);
    }
    return undefined;
  };
}

/** The guard for every route of Hono. */
export const hostGuard =
  (guard: HostGuard): MiddlewareHandler =>
  (c, next) => {
    const refusal = guard(c.req.header('host') ?? new URL(c.req.url).host, c.req.header('origin'));
    return refusal ? Promise.resolve(errorAnswer(refusal)) : next();
  };

/** The name in a `Host` header, in lower case, without the port and the brackets of an IPv6 address. */
function hostName(host: string): string {
  const end = host.lastIndexOf(':');
  const name = end > 0 && /^\d+$/.test(host.slice(end + 1)) ? host.slice(0, end) : host;
  return (name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name).toLowerCase();
}

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

const isLoopback = (origin: string): boolean => LOOPBACK_ORIGIN.test(origin);
