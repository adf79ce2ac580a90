import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchEnd, watchSession } from '../../src/actors/live.ts';
import { OnemcpError } from '../../src/errors.ts';
import { limitsWith } from '../../src/limits.ts';
import type { BackendEvent } from '../../src/machines/backend.ts';
import { type Json, NO_ITEMS } from '../../src/world.ts';
import { deferred, fakeSession, tool } from '../support/fakeWorld.ts';
import { exit } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A watched session; `answers` are what its next lists answer, one after the other. */
function watch(
  answer: (method: string) => Json | Promise<Json> = () => ({ tools: [], prompts: [], resources: [], resourceTemplates: [] }),
  notes: readonly string[] = [],
) {
  const session = fakeSession({ answer: ({ method }) => answer(method) });
  const events: BackendEvent[] = [];
  const end = watchSession({ name: 'a', session, items: NO_ITEMS, notes }, limitsWith(), (event) => events.push(event));
  return { session, events, end, asked: () => session.received.map(({ method }) => method) };
}
const changed = { type: 'listChanged', kind: 'tools' } as const;

describe('a connected backend', () => {
  it('whose session ends is CLOSED with its error', () => {
    const { session, events } = watch();
    const error = exit('a');
    session.emit({ type: 'closed', error });
    expect(events).toEqual([{ type: 'CLOSED', error }]);
  });

  it('that changes a list is asked for that kind, and gives its ITEMS', async () => {
    const { session, events, asked } = watch(() => ({ tools: [tool('new')] }));
    session.emit(changed);
    await pass(0);
    expect(asked()).toEqual(['tools/list']);
    expect(events).toEqual([{ type: 'ITEMS', items: { ...NO_ITEMS, tools: [tool('new')] }, notes: [] }]);
  });

  it.each([
    ['resources', ['resources/list', 'resources/templates/list']],
    ['prompts', ['prompts/list']],
  ] as const)('that changes %s is asked for %j', async (kind, methods) => {
    const { session, asked } = watch();
    session.emit({ type: 'listChanged', kind });
    await pass(0);
    expect(asked()).toEqual(methods);
  });

  it('that lost its session is asked for everything', async () => {
    const { session, asked } = watch();
    session.emit({ type: 'reset' });
    await pass(0);
    expect(asked()).toEqual(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']);
  });

  it(verifies('B35', 'that storms is asked at most once a second, and once more at the end'), async () => {
    const { session, asked } = watch();
    for (let n = 0; n < 1_000; n++) {
      session.emit(changed);
      await pass(1);
    }
    await pass(10_000);
    expect(asked()).toHaveLength(2);
  });

  it(verifies('B36', 'that changes during a refresh is asked exactly once more'), async () => {
    const first = deferred<Json>();
    let calls = 0;
    const { session, asked } = watch(() => (++calls === 1 ? first.promise : { tools: [] }));
    session.emit(changed);
    await pass(0);
    for (let n = 0; n < 5; n++) session.emit(changed);
    await pass(5_000);
    expect(asked()).toHaveLength(1);
    first.resolve({ tools: [tool('old')] });
    await pass(5_000);
    expect(asked()).toHaveLength(2);
    await pass(60_000);
    expect([asked().length, vi.getTimerCount()]).toEqual([2, 0]);
  });

  it(verifies('B26', 'whose refresh fails keeps its old lists, and says why'), async () => {
    let broken = false;
    const { session, events } = watch(() => (broken ? Promise.reject(new OnemcpError('timeout', 'silent')) : { tools: [tool('t')] }));
    session.emit(changed);
    await pass(0);
    broken = true;
    session.emit(changed);
    await pass(1_000);
    expect(events.at(-1)).toEqual({ type: 'ITEMS', items: { ...NO_ITEMS, tools: [tool('t')] }, notes: ['tools/list failed: silent'] });
  });

  it('whose refresh is of one kind keeps what was said of the others', async () => {
    const known = ['prompts/list is advertised but not implemented', 'tools/list: an item was left out: it is not an object'];
    const { session, events } = watch(() => ({ tools: [tool('t')] }), known);
    session.emit(changed);
    await pass(0);
    expect(events.at(-1)).toMatchObject({ notes: [known[0]] });
  });

  it('that is no longer watched is asked nothing, and says nothing', async () => {
    const answered = deferred<Json>();
    const { session, events, end } = watch(() => answered.promise);
    session.emit(changed);
    await pass(0);
    session.emit(changed);
    end();
    answered.resolve({ tools: [tool('late')] });
    session.emit(changed);
    session.emit({ type: 'closed', error: exit('a') });
    await pass(10_000);
    expect([events, session.received.length, vi.getTimerCount()]).toEqual([[], 1, 0]);
  });
});

describe('a connected instance', () => {
  const watchInstance = () => {
    const session = fakeSession();
    const events: BackendEvent[] = [];
    return { session, events, end: watchEnd(session, (event) => events.push(event)) };
  };

  it('whose session ends is CLOSED with its error', () => {
    const { session, events } = watchInstance();
    const error = exit('a');
    session.emit({ type: 'closed', error });
    expect(events).toEqual([{ type: 'CLOSED', error }]);
  });

  it('is asked for no list, whatever changes: lists come from the first connection', async () => {
    const { session, events } = watchInstance();
    session.emit(changed);
    session.emit({ type: 'reset' });
    await pass(60_000);
    expect([session.received, events]).toEqual([[], []]);
  });

  it('is heard no more when the watching has ended', () => {
    const { session, events, end } = watchInstance();
    end();
    session.emit({ type: 'closed', error: exit('a') });
    expect(events).toEqual([]);
  });
});
