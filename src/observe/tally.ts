import type { Observable, Subscription } from 'rxjs';
import type { BackendView, World } from '../world.ts';
import type { ChangedKind } from './listChanged.ts';

export type ReloadResult = 'applied' | 'unchanged' | 'rejected';

/** What happened since the start and is in no World: plain numbers, which only grow. */
export interface Tally {
  readonly reloads: Readonly<Record<ReloadResult, number>>;
  /** Changes of a list that were announced together with another one. */
  readonly coalesced: Readonly<Record<ChangedKind, number>>;
  /** Connections that were closed because their clients did not read. */
  readonly unreadClosed: number;
  /**
   * Connections of a backend and its instances after the first one of each, but for those that only ended a sleep. Backends
   * that are no longer configured are forgotten.
   */
  restarts(backend: string): number;
  reloaded(result: ReloadResult): void;
  /** A list changed, and will be announced. */
  changed(kind: ChangedKind): void;
  /** All changes up to now were announced. */
  announced(kinds: ReadonlySet<ChangedKind>): void;
  closedUnread(connections: number): void;
  readonly subscription: Subscription;
}

/** Counts from now on. */
export function createTally(world$: Observable<World>): Tally {
  const reloads = { applied: 0, unchanged: 0, rejected: 0 };
  const coalesced = { tools: 0, prompts: 0, resources: 0 };
  const pending = { tools: 0, prompts: 0, resources: 0 };
  let unreadClosed = 0;
  const restarts = createRestarts();
  const subscription = world$.subscribe(restarts.follow);
  return {
    reloads,
    coalesced,
    subscription,
    get unreadClosed() {
      return unreadClosed;
    },
    restarts: restarts.of,
    reloaded(result) {
      reloads[result]++;
    },
    changed(kind) {
      pending[kind]++;
    },
    announced(kinds) {
      for (const kind of kinds) {
        coalesced[kind] += Math.max(0, pending[kind] - 1);
        pending[kind] = 0;
      }
    },
    closedUnread(connections) {
      unreadClosed += connections;
    },
  };
}

/** The last connection of a backend or an instance that was seen. */
interface Seen {
  readonly backend: string;
  connects: number;
  /** It has slept since. */
  slept: boolean;
}

/** Counts restarts from one World to the next. An instance that ended keeps its restarts at its backend. */
function createRestarts() {
  const counts = new Map<string, number>();
  const seen = new Map<string, Seen>();
  let last: World | undefined;

  const look = (id: string, { name, connects, asleep }: BackendView) => {
    const known = seen.get(id);
    if (!known) return void seen.set(id, { backend: name, connects, slept: asleep });
    if (connects > known.connects) {
      const more = connects - Math.max(1, known.connects) - (known.slept && known.connects > 0 ? 1 : 0);
      if (more > 0) counts.set(name, (counts.get(name) ?? 0) + more);
      known.connects = connects;
      known.slept = false;
    }
    if (asleep) known.slept = true;
  };
  const forget = ({ backends, instances }: World) => {
    for (const [id, { backend }] of seen) {
      if (!backends.has(backend)) counts.delete(backend);
      if (!backends.has(id) && !instances.has(id)) seen.delete(id);
    }
  };

  return {
    of: (backend: string): number => counts.get(backend) ?? 0,
    follow(world: World) {
      const { backends, instances } = world;
      const before = last;
      last = world;
      if (before?.backends === backends && before.instances === instances) return;
      for (const [id, view] of backends) if (before?.backends.get(id) !== view) look(id, view);
      for (const [id, view] of instances) if (before?.instances.get(id) !== view) look(id, view);
      if (seen.size > backends.size + instances.size) forget(world);
    },
  };
}
