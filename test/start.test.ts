/** A start loads only what it needs: some packages cost it tens of milliseconds. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const DIST = resolve(import.meta.dirname, '../dist');
const textOf = (file: string): string => readFileSync(join(DIST, file), 'utf8');

/** A file of the build with all that it imports at once, minified or not. */
function reachable(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, other] of textOf(file).matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) reachable(other as string, found);
  return found;
}

const runs = readdirSync(DIST).filter((file) => /^run-.*\.js$/.test(file));
/** Words that only these packages have. */
const HEAVY = {
  undici: 'UND_ERR_BPL_MISSING_UPSTREAM',
  'prom-client': 'process_cpu_user_seconds_total',
  '@hono/node-server': 'RequestError',
  '@opentelemetry/api': 'Attempted duplicate registration of API',
  '@opentelemetry/sdk-trace-base': 'OTEL_BSP_MAX_QUEUE_SIZE',
  '@opentelemetry/exporter-trace-otlp-http': 'Concurrent export limit reached',
};

it('the build is one that can be looked at', () => {
  expect(runs).toHaveLength(1);
  expect(reachable(runs[0] as string).size).toBeGreaterThan(2);
});

it.each(Object.entries(HEAVY))('a start does not load %s, which is in the build', (_, word) => {
  const atOnce = reachable(runs[0] as string);
  const holders = readdirSync(DIST).filter((file) => file.endsWith('.js') && textOf(file).includes(word));
  expect(holders.length).toBeGreaterThan(0);
  expect(holders.filter((file) => atOnce.has(file))).toEqual([]);
});
