import { Hono } from 'hono';
import { OnemcpError } from '../errors.ts';
import { errorAnswer } from './answer.ts';
import type { Env } from './env.ts';
import { type HostGuard, hostGuard } from './guard/host.ts';
import { type HealthOptions, healthRoutes } from './health.ts';
import { legacySseRoutes } from './legacySse.ts';
import { type McpOptions, mcpRoutes } from './mcp.ts';
import { type MetricsOptions, metricsRoutes } from './metrics.ts';
import { openApi } from './openapi.ts';

export interface AppOptions {
  readonly guard: HostGuard;
  readonly mcp: McpOptions;
  readonly health: HealthOptions;
  /** Undefined: there is no `/metrics`. */
  readonly metrics?: MetricsOptions | undefined;
  /** Whether there is HTTP+SSE, too. */
  readonly legacySse: boolean;
  /** Whether there is `/openapi.json`; default: there is. */
  readonly openapi?: boolean | undefined;
  /** The address that clients know; undefined: none but that which they called. */
  readonly publicUrl?: string | undefined;
  /** Loaded only with inspection: see http/inspect.ts. */
  readonly inspect?: Hono<Env> | undefined;
}

/** Every route. Health and metrics come before the guard: probes use addresses of their own. */
export function createApp({ guard, mcp, health, metrics, legacySse, openapi = true, publicUrl, inspect }: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.route('/health', healthRoutes(health, guard));
  if (metrics) app.route('/metrics', metricsRoutes(metrics));
  app.use(hostGuard(guard));
  app.route('/mcp', mcpRoutes(mcp));
  if (openapi) {
    const { version } = mcp.context.serverInfo;
    app.get('/openapi.json', (c) => c.json(openApi({ version, legacySse, metrics: metrics !== undefined, publicUrl })));
  }
  if (legacySse) app.route('/', legacySseRoutes(mcp, hasPath(publicUrl)));
  if (inspect) app.route('/inspect', inspect);
  app.notFound((c) => {
    const documents = [
      '/health',
      ...(metrics ? ['/metrics'] : []),
      ...(openapi ? ['/openapi.json'] : []),
      ...(inspect ? ['/inspect'] : []),
    ];
    const routes = ['/mcp', ...(legacySse ? ['/sse'] : []), ...documents];
    return c.json({ error: `nothing is at ${c.req.path}; there are ${routes.join(', ')}` }, 404);
  });
  app.onError((error) => {
    mcp.onBug(error);
    return errorAnswer(new OnemcpError('internal', 'Internal error of onemcp; see its log'));
  });
  return app;
}

/** Whether a proxy takes something away from the paths that clients ask for. */
const hasPath = (publicUrl: string | undefined): boolean => publicUrl !== undefined && new URL(publicUrl).pathname !== '/';
