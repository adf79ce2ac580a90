import { Hono } from 'hono';
import type { MetricsText } from '../observe/registry.ts';
import { methodNotAllowed } from './answer.ts';
import type { Env } from './env.ts';

export interface MetricsOptions {
  readonly read: () => Promise<MetricsText>;
  /** Milliseconds for which a text is given out again. */
  readonly keep: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** `/metrics` for Prometheus: open like `/health`. However many ask, there is one reading at a time. */
export function metricsRoutes({ read, keep, now }: MetricsOptions): Hono<Env> {
  let reading: Promise<MetricsText> | undefined;
  let last: { readonly at: number; readonly text: MetricsText } | undefined;

  const current = (): MetricsText | Promise<MetricsText> => {
    if (last && now() - last.at < keep) return last.text;
    reading ??= read()
      .then((text) => {
        last = { at: now(), text };
        return text;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };

  return new Hono<Env>()
    .get('/', async (c) => {
      const { contentType, text } = await current();
      return c.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' });
    })
    .all('/', () => methodNotAllowed('GET, HEAD'));
}
