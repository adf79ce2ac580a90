import { distinctUntilChanged, from, map, mergeMap, type Observable, pairwise, type SchedulerLike, tap } from 'rxjs';
import type { View } from '../mcp/view.ts';
import type { World } from '../world.ts';
import { batch } from './batch.ts';

/** Kinds of `notifications/…/list_changed`. */
export type ChangedKind = 'tools' | 'prompts' | 'resources';

export interface ListChangedOptions {
  readonly view: (world: World) => View;
  /** Milliseconds, see `batch.quiet` and `batch.max` in limits.ts. */
  readonly quiet: number;
  readonly max: number;
  readonly scheduler?: SchedulerLike;
  /** Told of every change before it is gathered with others. */
  readonly onChange?: ((kind: ChangedKind) => void) | undefined;
}

/** Batches of kinds whose visible list changed. A backend that comes back with the same catalog causes none. */
export function listChanged(
  world$: Observable<World>,
  { view, onChange, ...timing }: ListChangedOptions,
): Observable<ReadonlySet<ChangedKind>> {
  return world$.pipe(
    map(view),
    distinctUntilChanged(),
    pairwise(),
    mergeMap(([before, after]) => from(changedKinds(before, after))),
    tap(onChange),
    batch(timing),
  );
}

/** Which lists differ between two views; templates belong to resources. */
function changedKinds(before: View, after: View): readonly ChangedKind[] {
  const kinds: ChangedKind[] = [];
  if (before.tools !== after.tools) kinds.push('tools');
  if (before.prompts !== after.prompts) kinds.push('prompts');
  if (before.resources !== after.resources || before.templates !== after.templates) kinds.push('resources');
  return kinds;
}
