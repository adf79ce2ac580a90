import { type Observable, pairwise, type Subscription, startWith } from 'rxjs';
import type { World } from '../world.ts';
import { remember, type Stories, type Story, type StoryOptions } from './story.ts';

export interface History {
  readonly of: (name: string) => Story | undefined;
  readonly subscription: Subscription;
}

/** Follows the World from now on. */
export function createHistory(world$: Observable<World>, options: StoryOptions): History {
  let stories: Stories = new Map();
  const subscription = world$.pipe(startWith(undefined), pairwise()).subscribe(([before, after]) => {
    stories = remember(stories, [before, after as World], options);
  });
  return { of: (name) => stories.get(name), subscription };
}
