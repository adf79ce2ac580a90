import { Hono } from 'hono';
import { OnemcpError } from '../errors.ts';
import { errorAnswer } from './answer.ts';
import type { Env } from './env.ts';
import { type HostGuard, hostGuard } from './guard/host.ts';
import { type HealthOptions, healthRoutes } from './health.ts';
import { legacySseRoutes } from './legacySse.ts';
import { type McpOptions, mcpRoutes } from './mcp.ts';
import { openApi } from './openapi.ts';

export interface AppOptions {
  readonly guard: HostGuard;
  readonly mcp: McpOptions;
  readonly health: HealthOptions;
  /** Whether there is HTTP+SSE, too. */
  readonly legacySse: boolean;
  /** Loaded only with inspection: see http/inspect.ts. */
  readonly inspect?: Hono<Env> | undefined;
}

/** Every route. Health comes before the guard: probes use addresses of their own. */
export function createApp({ guard, mcp, health, legacySse, inspect }: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.route('/health', healthRoutes(health, guard));
  app.use(hostGuard(guard));
  app.route('/mcp', mcpRoutes(mcp));
  app.get('/openapi.json', (c) => c.json(openApi({ version: mcp.context.serverInfo.version, legacySse })));
  if (legacySse) app.route('/', legacySseRoutes(mcp));
  if (inspect) app.route('/inspect', inspect);
  app.notFound((c) => {
    const routes = ['/mcp', ...(legacySse ? ['/sse'] : []), '/health', '/openapi.json', ...(inspect ? ['/inspect'] : [])];
    return c.json({ error: `nothing is at ${c.req.path}; there are ${routes.join(', ')}` }, 404);
  });
  app.onError((error) => {
    mcp.onBug(error);
    return errorAnswer(new OnemcpError('internal', 'Internal error of onemcp; see its log'));
  });
  return app;
}
