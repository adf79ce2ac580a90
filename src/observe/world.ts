import { Observable } from 'rxjs';
import type { World } from '../world.ts';

/** What observers need of the running system. */
export interface WorldSource {
  readonly world: () => World;
  /** Returns the unsubscriber. */
  readonly onChange: (listener: () => void) => () => void;
}

/** The World now, and after each change. */
export function worldStream({ world, onChange }: WorldSource): Observable<World> {
  return new Observable((subscriber) => {
    subscriber.next(world());
    return onChange(() => subscriber.next(world()));
  });
}
