import { type Context, Hono } from 'hono';
import type { OnemcpError } from '../errors.ts';
import { type Health, healthLevel, healthStatus, isReady, withoutDetails } from '../observe/health.ts';
import type { World } from '../world.ts';
import type { Env } from './env.ts';
import { type HostGuard, headersOf } from './guard/host.ts';
import { clientAddress, isForwarded, isLoopbackAddress, type Proxies } from './guard/proxies.ts';

export interface HealthOptions {
  readonly world: () => World;
  readonly health: () => Health;
  /**
   * What `/health` says of single servers. `auto`: all to programs of this machine that name it by an address of its own,
   * only counts to others, such as probes and pages that rebound a name.
   */
  readonly details: HealthDetails;
  /** The story of one server, for `?explain=name`. @throws OnemcpError `unknown_server` */
  readonly explain: (name: string) => object;
  /** Who may say that somebody else asks; undefined: whoever says so is a stranger. */
  readonly proxies?: Proxies | undefined;
}

export type HealthDetails = 'auto' | 'full' | 'minimal';

/** `/health`, `/health/live`, `/health/ready`: open to every probe, whatever its Host header, and never rate limited. */
export function healthRoutes({ world, health, details, explain, proxies }: HealthOptions, guard: HostGuard): Hono<Env> {
  const isFull = (c: Context<Env>): boolean => (details === 'auto' ? isNear(c, guard, proxies) : details === 'full');
  return new Hono<Env>()
    .use((c, next) => {
      c.header('cache-control', 'no-store');
      return next();
    })
    .get('/', (c) => {
      const document = health();
      const status = healthStatus(healthLevel(world()));
      c.header('x-health-status', document.status);
      c.header('x-service-version', document.version);
      c.header('x-uptime-seconds', String(document.system.uptime));
      const name = c.req.query('explain');
      if (name !== undefined) return explained(c, name, { isFull: isFull(c), explain });
      return c.json(isFull(c) ? document : withoutDetails(document), status);
    })
    .get('/live', (c) => c.json({ status: 'alive' }))
    .get('/ready', (c) => {
      const { phase, config } = world();
      const ready = isReady(world());
      return c.json({ status: ready ? 'ready' : 'not ready', phase, configuration: { loaded: config.loaded } }, ready ? 200 : 503);
    });
}

const NOT_HERE = 'the story of a server is told to programs of this machine; set gateway.health.details to "full" to tell it to everybody';

interface Explaining extends Pick<HealthOptions, 'explain'> {
  readonly isFull: boolean;
}

/** The status is that of the answer: a server that is down is no reason for an error here. */
function explained(c: Context<Env>, name: string, { isFull, explain }: Explaining): Response {
  if (!isFull) return c.json({ error: NOT_HERE }, 403);
  try {
    return c.json(explain(name));
  } catch (error) {
    if ((error as OnemcpError).code === 'unknown_server') return c.json({ error: (error as OnemcpError).message }, 404);
    throw error;
  }
}

/**
 * Whether a program of this machine asks, by a name of ours, and not for another: no proxy stands between, or trusted ones say that
 * it is at their beginning.
 */
function isNear(c: Context<Env>, guard: HostGuard, proxies: Proxies | undefined): boolean {
  const headers = headersOf(c);
  const socket = c.env?.incoming?.socket;
  if (!socket) return !isForwarded(headers) && guard(headers) === undefined;
  const client = clientAddress(socket.remoteAddress ?? '', headers, proxies);
  return client !== undefined && isLoopbackAddress(client) && guard(headers, socket) === undefined;
}
