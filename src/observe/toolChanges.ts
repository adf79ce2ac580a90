import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Observable, pairwise, type Subscription } from 'rxjs';
import type { BackendView, Json, World } from '../world.ts';
import type { Log } from './log.ts';

/** Tools of one backend that are no longer listed, whose definitions are kept as hashes: who comes back is known. */
const MAX_DEPARTED = 10_000;

/**
 * One event for each tool that is not what it was when it was last seen, in an earlier run or before it was away: whoever
 * trusted it trusted another one. Says which, never what changed: descriptions are a backend's words.
 */
export function narrateToolChanges(world$: Observable<World>, log: Log): Subscription {
  const departed = new Map<string, Map<string, string>>();
  const departedOf = (name: string) => {
    const known = departed.get(name) ?? new Map<string, string>();
    departed.set(name, known);
    return known;
  };
  return world$.pipe(pairwise()).subscribe(([before, after]) => {
    if (before.backends === after.backends) return;
    for (const view of after.backends.values()) {
      const known = before.backends.get(view.name);
      if (known && known.items.tools !== view.items.tools) compare(known, view, departedOf(view.name), log);
    }
    for (const name of departed.keys()) if (!after.backends.has(name)) departed.delete(name);
  });
}

function compare(before: BackendView, { name: backend, items }: BackendView, departed: Map<string, string>, log: Log): void {
  const old = new Map(before.items.tools.map((tool) => [tool.name as string, tool]));
  for (const tool of items.tools) {
    const name = tool.name as string;
    const known = old.get(name);
    old.delete(name);
    if (known && isDeepStrictEqual(known, tool)) continue;
    const was = known ? hashOf(known) : departed.get(name);
    departed.delete(name);
    if (was === undefined) continue;
    const is = hashOf(tool);
    if (was === is) continue;
    log('warn', 'tool.changed', {
      message: `${backend}: the tool ${JSON.stringify(name)} is not what it was`,
      backend,
      tool: name,
      was,
      is,
    });
  }
  for (const [name, tool] of old) {
    departed.set(name, hashOf(tool));
    if (departed.size > MAX_DEPARTED) departed.delete(departed.keys().next().value as string);
  }
}

/** SHA-256 of what a client decides by, whatever the order of the keys. */
function hashOf({ name, description, inputSchema, outputSchema, annotations }: Json): string {
  return createHash('sha256')
    .update(JSON.stringify([name, description, inputSchema, outputSchema, annotations], sorted))
    .digest('hex');
}

const sorted = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
