import { Hono } from 'hono';
import { type Health, healthLevel, healthStatus, isReady } from '../observe/health.ts';
import type { World } from '../world.ts';
import type { Env } from './env.ts';

export interface HealthOptions {
  readonly world: () => World;
  readonly health: () => Health;
}

/** `/health`, `/health/live`, `/health/ready`: open to every probe, whatever its Host header, and never rate limited. */
export function healthRoutes({ world, health }: HealthOptions): Hono<Env> {
  return new Hono<Env>()
    .use((c, next) => {
      c.header('cache-control', 'no-store');
      return next();
    })
    .get('/', (c) => c.json(health(), healthStatus(healthLevel(world()))))
    .get('/live', (c) => c.json({ status: 'alive' }))
    .get('/ready', (c) => {
      const { phase, config } = world();
      const ready = isReady(world());
      return c.json({ status: ready ? 'ready' : 'not ready', phase, configuration: { loaded: config.loaded } }, ready ? 200 : 503);
    });
}
