import type { MiddlewareHandler } from 'hono';
import { OnemcpError } from '../../errors.ts';
import { errorAnswer } from '../answer.ts';
import type { Env } from '../body.ts';

/** Names that always mean this machine. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1'];

export interface HostGuardOptions {
  /** Names besides loopback under which the gateway may be called. */
  readonly trustedHosts: readonly string[];
  /** Origins besides loopback ones. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Refuses foreign `Host` and `Origin` headers: a browser page must not reach a local gateway, not even by DNS rebinding.
 * MCP basic/transports §Security Warning.
 */
export function hostGuard({ trustedHosts, allowedOrigins }: HostGuardOptions): MiddlewareHandler<Env> {
  const hosts = new Set([...LOOPBACK, ...trustedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set(allowedOrigins);
  return (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host;
    if (!hosts.has(hostName(host))) {
      return refuse('forbidden_host', `Host "${host.slice(0, 100)}" is not trusted; add it to gateway.trustedHosts if it is yours`);
    }
    const origin = c.req.header('origin');
    if (origin !== undefined && !origins.has(origin) && !isLoopback(origin)) {
      return refuse('forbidden_origin', `Origin "${origin.slice(0, 100)}" is not allowed; add it to gateway.allowedOrigins if it is yours`);
    }
    return next();
  };
}

const refuse = (code: 'forbidden_host' | 'forbidden_origin', message: string) =>
  Promise.resolve(errorAnswer(new OnemcpError(code, message)));

/** The name in a `Host` header, in lower case, without the port and the brackets of an IPv6 address. */
const hostName = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

const isLoopback = (origin: string): boolean => LOOPBACK_ORIGIN.test(origin);
