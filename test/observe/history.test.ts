import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { createHistory } from '../../src/observe/history.ts';
import { remember, type Stories } from '../../src/observe/story.ts';
import type { BackendView, World } from '../../src/world.ts';
import { fakeSession, viewOf, worldOf } from '../support/fakeWorld.ts';

const options = { most: 50, redact: (text: string) => text.replaceAll('hunter2', '***'), now: () => 99 };

const exit = (code: number, stderr?: string) =>
  new OnemcpError('backend_exited', `"a" exited with code ${code}: hunter2`, { server: 'a', exitCode: code }, stderr && { stderr });

/** What is known after these Worlds. */
function known(worlds: readonly World[], patch: Partial<typeof options> = {}): Stories {
  const each = worlds.map((world, index) => [worlds[index - 1], world] as const);
  return each.reduce<Stories>((stories, pair) => remember(stories, pair, { ...options, ...patch }), new Map());
}

const path = (...views: readonly BackendView[]) => known(views.map((view) => worldOf([view]))).get('a');

describe('the history of a backend', () => {
  it('has every state it came into, with the time and what was wrong', () => {
    const lastError = exit(3, 'one\ntwo hunter2\n');
    const story = path(
      viewOf('a', { state: 'idle', since: 1 }),
      viewOf('a', { state: 'starting', since: 2 }),
      viewOf('a', { state: 'error', since: 3, lastError }),
      viewOf('a', { state: 'retrying', since: 4, lastError }),
    );
    expect(story?.path).toEqual([
      { at: 1, from: undefined, to: 'idle', generation: 0 },
      { at: 2, from: 'idle', to: 'starting', generation: 0 },
      { at: 3, from: 'starting', to: 'error', generation: 0, error: '"a" exited with code 3: ***', exitCode: 3 },
      { at: 4, from: 'error', to: 'retrying', generation: 0 },
    ]);
    expect(story).toMatchObject({ changes: 4, failedAt: 3, stderr: 'one\ntwo ***' });
  });

  it('asks a session that was given up for what it had written', () => {
    const session = { ...fakeSession(), stderrTail: 'stuck\n' };
    const lastError = new OnemcpError('unresponsive', 'it is silent');
    const story = path(
      viewOf('a', { session }),
      viewOf('a', { state: 'error', since: 5, lastError }),
      viewOf('a', { state: 'failed', since: 6, lastError }),
    );
    expect(story).toMatchObject({ stderr: 'stuck', failedAt: 5 });
    expect(story?.path.map(({ error }) => error)).toEqual([undefined, 'it is silent', undefined]);
  });

  it('does not show what an earlier failure wrote as that of the last one', () => {
    const story = path(
      viewOf('a', { state: 'error', lastError: exit(1, 'old') }),
      viewOf('a', { state: 'starting' }),
      viewOf('a', { state: 'error', lastError: new OnemcpError('timeout', 'too slow') }),
    );
    expect(story?.stderr).toBeUndefined();
  });

  it('sees nothing where only something else changes', () => {
    const view = viewOf('a');
    expect(path(view, { ...view, notes: ['x'] }, { ...view, held: { since: 1, until: undefined } })?.changes).toBe(1);
  });

  it('keeps the newest, and counts all', () => {
    const views = Array.from({ length: 9 }, (_, at) => worldOf([viewOf('a', { state: at % 2 ? 'error' : 'starting', since: at })]));
    const story = known(views, { most: 3 }).get('a');
    expect(story?.path.map(({ at }) => at)).toEqual([6, 7, 8]);
    expect(story?.changes).toBe(9);
    expect(known(views, { most: 0 }).get('a')).toMatchObject({ path: [], changes: 9 });
  });

  it('follows a successor, and its taking over', () => {
    const old = viewOf('a', { since: 1 });
    const next = { generation: 1, state: 'starting' as const, since: 2, lastError: undefined, retryAt: undefined };
    const story = path(
      old,
      { ...old, next },
      { ...old, next: { ...next, state: 'error', since: 3, lastError: exit(1) } },
      { ...viewOf('a', { since: 4, generation: 1 }), next: undefined },
    );
    expect(story?.path.slice(1)).toEqual([
      { at: 2, from: undefined, to: 'starting', generation: 1, successor: true },
      { at: 3, from: 'starting', to: 'error', generation: 1, successor: true, error: '"a" exited with code 1: ***', exitCode: 1 },
      { at: 4, from: 'connected', to: 'connected', generation: 1 },
    ]);
  });

  it('remembers some of those that are no longer configured', () => {
    const names = Array.from({ length: 40 }, (_, index) => `s${index}`);
    const worlds = [
      worldOf(names.map((name) => viewOf(name))),
      ...names.map((_, index) => worldOf(names.slice(index + 1).map((name) => viewOf(name)))),
    ];
    const stories = known(worlds);
    expect([...stories.keys()]).toEqual(names.slice(8));
    expect(stories.get('s39')?.path.at(-1)).toEqual({ at: 99, from: 'connected', to: undefined, generation: 0 });
  });

  it('is kept along the World', () => {
    const world$ = new Subject<World>();
    const history = createHistory(world$, options);
    world$.next(worldOf([viewOf('a', { state: 'idle' })]));
    world$.next(worldOf([viewOf('a')]));
    expect(history.of('a')?.changes).toBe(2);
    expect(history.of('b')).toBeUndefined();
    history.subscription.unsubscribe();
    world$.next(worldOf([viewOf('a', { state: 'error' })]));
    expect(history.of('a')?.changes).toBe(2);
  });
});
