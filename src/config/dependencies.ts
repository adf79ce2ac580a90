import type { Entry } from './entry.ts';
import type { Findings } from './issue.ts';
import { cycles } from './order.ts';
import { nearest } from './suggest.ts';

/** Checks `dependsOn`: it names other servers that are there and enabled, and nobody waits for himself in the end. */
export function checkDependencies(entries: readonly Entry[], { problems }: Findings): void {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const enabled = entries.filter(({ off }) => off === undefined);
  for (const { name, shape, path } of enabled) {
    for (const [index, other] of (shape.dependsOn ?? []).entries()) {
      const message = complaint(name, other, byName);
      if (message !== undefined) problems.push({ path: [...path, 'dependsOn', index], at: 'value', message });
    }
  }
  // One that depends on itself has its problem already.
  const graph = enabled.map(({ name, shape }) => ({ name, dependsOn: (shape.dependsOn ?? []).filter((other) => other !== name) }));
  for (const cycle of cycles(graph)) {
    const [first, closing] = [cycle[0]!, cycle.at(-1)!];
    const { path, shape } = byName.get(closing)!;
    const index = shape.dependsOn!.indexOf(first);
    const message = `none of these can start, each waits for the next: ${[...cycle, first].join(' → ')}; remove one of the dependencies`;
    problems.push({ path: [...path, 'dependsOn', index], at: 'value', message });
  }
}

function complaint(name: string, other: string, entries: ReadonlyMap<string, Entry>): string | undefined {
  if (other === name) return 'a server cannot depend on itself; remove it';
  const found = entries.get(other);
  if (found?.off !== undefined && !found.shape.disabled) {
    return `"${other}" does not run (${found.off}), so this one would never start; give this one the same profiles, or remove it here`;
  }
  if (found?.off !== undefined) return `"${other}" is disabled, so this one would never start; enable it, or remove it here`;
  if (found) return undefined;
  const guess = nearest(
    other,
    [...entries.keys()].filter((known) => known !== name),
  );
  return `there is no server ${JSON.stringify(other)}${guess === undefined ? '; name a key of mcpServers' : `, did you mean ${JSON.stringify(guess)}?`}`;
}
