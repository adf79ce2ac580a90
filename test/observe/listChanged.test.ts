import { map, type Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { createViewOf } from '../../src/mcp/view.ts';
import { listChanged } from '../../src/observe/listChanged.ts';
import type { World } from '../../src/world.ts';
import { tool, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const run = (test: Parameters<TestScheduler['run']>[0]) =>
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(test);
const announced = (world$: Observable<World>) =>
  listChanged(world$, { view: createViewOf({ prefix: 'always', maxLength: 64 }), quiet: 300, max: 2_000 }).pipe(
    map((kinds) => [...kinds].sort().join(' ')),
  );

const a = viewOf('a', { items: { tools: [tool('t')], prompts: [{ name: 'p' }] } });
const down = { ...a, state: 'retrying' as const, session: undefined };
const more = { ...a, items: { ...a.items, tools: [tool('t'), tool('u')] } };

describe('list_changed', () => {
  it(verifies('B34', 'is not announced for a backend that goes and comes back with the same catalog'), () => {
    run(({ cold, expectObservable }) => {
      const world$ = cold('w 10ms x 10ms y 10ms z', {
        w: worldOf([a]),
        x: worldOf([down]),
        y: worldOf([{ ...down, state: 'starting' }]),
        z: worldOf([{ ...a, connects: 2 }]),
      });
      expectObservable(announced(world$), '^ 5s !').toBe('');
    });
  });

  it('is not announced for the first World', () => {
    run(({ cold, expectObservable }) => expectObservable(announced(cold('w', { w: worldOf([a]) })), '^ 5s !').toBe(''));
  });

  it(verifies(['B33', 'one-batch'], 'is announced once, one kind each, for ten backends that become ready within a second'), () => {
    const names = Array.from({ length: 10 }, (_, n) => `b${n}`);
    const up = (name: string) => viewOf(name, { items: { tools: [tool('t')], resources: [{ uri: `x://${name}` }] } });
    const starting = (name: string) => viewOf(name, { state: 'starting' });
    /** The first `count` are ready. */
    const world = (count: number) => worldOf(names.map((name, n) => (n < count ? up(name) : starting(name))));
    const worlds = { w: world(0), ...Object.fromEntries(names.map((_, n) => [String(n), world(n + 1)])) };
    run(({ cold, expectObservable }) => {
      const world$ = cold('w 99ms 0 99ms 1 99ms 2 99ms 3 99ms 4 99ms 5 99ms 6 99ms 7 99ms 8 99ms 9', worlds);
      expectObservable(announced(world$), '^ 5s !').toBe('1300ms k', { k: 'resources tools' });
    });
  });

  it('is announced for the kind that changed; templates belong to resources', () => {
    const templates = { ...a, items: { ...a.items, templates: [{ uriTemplate: 'x://{y}' }] } };
    run(({ cold, expectObservable }) => {
      const world$ = cold('w 999ms x 999ms y', {
        w: worldOf([a]),
        x: worldOf([more]),
        y: worldOf([{ ...templates, items: { ...templates.items, tools: more.items.tools } }]),
      });
      expectObservable(announced(world$), '^ 5s !').toBe('1300ms t 999ms r', { t: 'tools', r: 'resources' });
    });
  });

  it(verifies('B35', 'in a storm is announced at most once in two seconds'), () => {
    const worlds = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [String(n), worldOf([viewOf('a', { items: { tools: [tool(`t${n}`)] } })])]),
    );
    const storm = Array.from({ length: 40 }, (_, n) => String(n % 10)).join(' 199ms ');
    run(({ cold, expectObservable }) => {
      // A batch begins with a change and lasts 2 s; the last one ends after the last change and 300 ms.
      expectObservable(announced(cold(storm, worlds)), '^ 12s !').toBe('2200ms t 2199ms t 2199ms t 1499ms t', { t: 'tools' });
    });
  });

  it(verifies('B32', 'is announced when a slow backend comes at last'), () => {
    const slow = viewOf('slow', { state: 'starting' });
    run(({ cold, expectObservable }) => {
      const world$ = cold('w 59999ms x', { w: worldOf([a, slow]), x: worldOf([a, viewOf('slow', { items: { tools: [tool('late')] } })]) });
      expectObservable(announced(world$), '^ 70s !').toBe('60300ms t', { t: 'tools' });
    });
  });
});
