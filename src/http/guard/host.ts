import { isIP } from 'node:net';
import type { Context, MiddlewareHandler } from 'hono';
import { OnemcpError } from '../../errors.ts';
import { errorAnswer } from '../answer.ts';
import type { Env } from '../env.ts';
import type { Proxies, RequestHeaders } from './proxies.ts';

/** Names that always mean this machine. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1'];

export interface HostGuardOptions {
  /** Names besides loopback under which the gateway may be called. */
  readonly trustedHosts: readonly string[];
  /** Origins besides loopback ones. */
  readonly allowedOrigins: readonly string[];
  /** Undefined: nobody's `X-Forwarded-Host` counts. */
  readonly proxies?: Proxies | undefined;
}

/** Why a request with these headers is refused; undefined if it is not. @param socket undefined: there is no server */
export type HostGuard = (headers: RequestHeaders, socket?: { readonly remoteAddress?: string | undefined }) => OnemcpError | undefined;

/**
 * Refuses foreign `Host` and `Origin` headers: a browser page must not reach a local gateway, not even by DNS rebinding.
 * MCP basic/transports §Security Warning.
 *
 * The name that a trusted proxy was called by counts besides the one it calls us by, and alone where that is a mere address: a page
 * that rebound a name can send any header but `Host`, which is that name.
 */
export function createHostGuard({ trustedHosts, allowedOrigins, proxies }: HostGuardOptions): HostGuard {
  const hosts = new Set([...LOOPBACK, ...trustedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set(allowedOrigins);
  const foreign = (host: string | undefined): string | undefined =>
    host !== undefined && hosts.has(hostName(host)) ? undefined : (host ?? '');
  return (headers, socket) => {
    const { host, origin } = headers as { readonly host?: string; readonly origin?: string };
    const said = proxies?.isTrusted(socket?.remoteAddress) ? proxies.hostSaid(headers) : undefined;
    const name = said === undefined ? foreign(host) : ((isAddress(host) ? undefined : foreign(host)) ?? foreign(said));
    if (name !== undefined) {
      const shown = name.slice(0, 100);
      return new OnemcpError('forbidden_host', `Host "${shown}" is not trusted; add it to gateway.trustedHosts if it is yours`);
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
  (guard: HostGuard): MiddlewareHandler<Env> =>
  (c, next) => {
    const refusal = guard(headersOf(c), c.env?.incoming?.socket);
    return refusal ? Promise.resolve(errorAnswer(refusal)) : next();
  };

/** Those of Node.js; without a server, those of the request, whose host may be in its URL only. */
export const headersOf = (c: Context<Env>): RequestHeaders =>
  c.env?.incoming?.headers ?? { ...c.req.header(), host: c.req.header('host') ?? new URL(c.req.url).host };

const isAddress = (host: string | undefined): boolean => host !== undefined && isIP(hostName(host)) !== 0;

/** The name in a `Host` header, in lower case, without the port and the brackets of an IPv6 address. */
function hostName(host: string): string {
  const end = host.lastIndexOf(':');
  const name = end > 0 && /^\d+$/.test(host.slice(end + 1)) ? host.slice(0, end) : host;
  return (name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name).toLowerCase();
}

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

const isLoopback = (origin: string): boolean => LOOPBACK_ORIGIN.test(origin);
