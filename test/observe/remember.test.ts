import { BehaviorSubject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { remember } from '../../src/observe/remember.ts';
import { type BackendView, NO_ITEMS, type World } from '../../src/world.ts';
import { fakeSession, tool, viewOf, worldOf } from '../support/fakeWorld.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const items = { ...NO_ITEMS, tools: [tool('t')] };
const failure = (code: string) => Object.assign(new Error(`${code}: no space left on device, write`), { code });

function watched(...views: BackendView[]) {
  const world$ = new BehaviorSubject<World>(worldOf(views));
  const saves: string[][] = [];
  const lines: string[] = [];
  let error: Error | undefined;
  const remembering = remember(world$, {
    delay: 1_000,
    retry: 30_000,
    save: async (known) => {
      saves.push(known.map(({ name }) => name));
      if (error) throw error;
    },
    log: (level, event) => lines.push(`${level} ${event}`),
  });
  return {
    remembering,
    saves,
    lines,
    show: (...next: BackendView[]) => world$.next(worldOf(next)),
    fail: (next: Error | undefined) => {
      error = next;
    },
  };
}

describe('what is remembered', () => {
  it('is written some time after a change, changes that come together at once', async () => {
    const { show, saves } = watched(viewOf('a', { state: 'idle' }), viewOf('b', { state: 'idle' }));
    show(viewOf('a', { items }), viewOf('b', { state: 'starting' }));
    await vi.advanceTimersByTimeAsync(500);
    show(viewOf('a', { items }), viewOf('b', { items }));
    await vi.advanceTimersByTimeAsync(499);
    expect(saves).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(saves).toEqual([['a', 'b']]);
  });

  it('is not written again when a backend comes back with the same lists and abilities', async () => {
    const known = viewOf('a', { state: 'idle', items, info: fakeSession().info, remembered: 5 });
    const { show, saves, remembering } = watched(known);
    show({ ...known, state: 'starting' });
    show(viewOf('a', { items: known.items, session: fakeSession() }));
    show(viewOf('a', { items: known.items, state: 'retrying', info: fakeSession().info }));
    await vi.advanceTimersByTimeAsync(60_000);
    await remembering.close();
    expect(saves).toEqual([]);
  });

  it.each<[string, Parameters<typeof viewOf>[1]]>([
    ['other lists', { items: { ...NO_ITEMS, tools: [tool('u')] } }],
    ['another version of the protocol', { session: fakeSession({ protocolVersion: '2024-11-05' }) }],
    ['other instructions', { session: fakeSession({ instructions: 'New.' }) }],
  ])('is written when a backend has %s', async (_, patch) => {
    const known = viewOf('a', { state: 'idle', items, info: fakeSession().info, remembered: 5 });
    const { show, saves } = watched(known);
    show(viewOf('a', { items: known.items, ...patch }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(saves).toEqual([['a']]);
  });

  it('is written when a backend is gone, and keeps one that does not come up', async () => {
    const known = (name: string) => viewOf(name, { state: 'idle', items, info: fakeSession().info, remembered: 5 });
    const { show, saves } = watched(known('a'), known('b'));
    show({ ...known('b'), state: 'error' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(saves).toEqual([['b']]);
  });

  it('is written at the end, without waiting', async () => {
    const { show, saves, remembering } = watched(viewOf('a', { state: 'idle' }));
    show(viewOf('a', { items }));
    await remembering.close();
    expect(saves).toEqual([['a']]);
    show(viewOf('a', { items: NO_ITEMS }));
    await vi.advanceTimersByTimeAsync(60_000);
    expect([saves.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it('is a problem that is told once while it cannot be written, and no longer once it can', async () => {
    const { show, saves, lines, remembering, fail } = watched(viewOf('a', { state: 'idle' }));
    fail(failure('ENOSPC'));
    show(viewOf('a', { items }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(remembering.problems()).toEqual([expect.stringMatching(/cannot be kept for the next start \(ENOSPC\): make room/)]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([saves.length, lines]).toEqual([3, ['warn catalog.unsaved']]);
    fail(undefined);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([remembering.problems(), saves.length, lines]).toEqual([[], 4, ['warn catalog.unsaved', 'info catalog.saved']]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(saves.length).toBe(4);
  });

  it('never keeps the gateway from its end', async () => {
    const { show, remembering, fail } = watched(viewOf('a', { state: 'idle' }));
    fail(failure('EROFS'));
    show(viewOf('a', { items }));
    await remembering.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
