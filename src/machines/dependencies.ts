/** Who may start only after whom: `dependsOn`. */
import type { Child, Roster } from './roster.ts';

/** Dependencies of a child that are not connected. */
export function unmet({ world, specs }: Roster, { spec }: Child): readonly string[] {
  return spec.dependsOn.filter((name) => specs.has(name) && world.backends.get(name)?.state !== 'connected');
}

/** Whether a child that waits for a start slot may have one. */
export const isReady = (roster: Roster, child: Child | undefined): boolean => !child || unmet(roster, child).length === 0;
