import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LiveDeps, watchInstance, watchSession } from '../../src/actors/live.ts';
import type { StdioBackendSpec } from '../../src/config/config.ts';
import { OnemcpError } from '../../src/errors.ts';
import { limitsWith } from '../../src/limits.ts';
import type { BackendEvent } from '../../src/machines/backend.ts';
import { type Json, NO_ITEMS } from '../../src/world.ts';
import { specOf } from '../io/stdioKit.ts';
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

/** No ping is in the way of the tests that count timers. */
const QUIET: LiveDeps = {
  limits: limitsWith({ 'ping.interval': 0 }),
  redact: (text) => text,
  memoryOf: async () => undefined,
  isHeld: () => false,
};
const SPEC = specOf('a');

/** A watched session; `answers` are what its next lists answer, one after the other. */
function watch(
  answer: (method: string) => Json | Promise<Json> = () => ({ tools: [], prompts: [], resources: [], resourceTemplates: [] }),
  notes: readonly string[] = [],
) {
  const session = fakeSession({ answer: ({ method }) => answer(method) });
  const events: BackendEvent[] = [];
  const { end } = watchSession({ spec: SPEC, session, items: NO_ITEMS, notes }, QUIET, (event) => events.push(event));
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

  it('that storms on without ever changing anything is asked less and less, and at once after a pause', async () => {
    const { session, asked, end } = watch(() => ({ tools: [] }));
    const storm = async (seconds: number) => {
      for (let n = 0; n < 10 * seconds; n++) {
        session.emit(changed);
        await pass(100);
      }
    };
    await storm(10);
    expect(asked().length).toBeLessThanOrEqual(7);
    await storm(600);
    expect(asked().length).toBeGreaterThan(20);
    expect(asked().length).toBeLessThan(35);
    await pass(100_000);
    const before = asked().length;
    session.emit(changed);
    await pass(0);
    expect(asked()).toHaveLength(before + 1);
    session.emit(changed);
    await pass(1_000);
    expect(asked()).toHaveLength(before + 2);
    end();
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
  const watchOne = () => {
    const session = fakeSession();
    const events: BackendEvent[] = [];
    return { session, events, ...watchInstance({ spec: SPEC, session }, QUIET, (event) => events.push(event)) };
  };

  it('whose session ends is CLOSED with its error', () => {
    const { session, events } = watchOne();
    const error = exit('a');
    session.emit({ type: 'closed', error });
    expect(events).toEqual([{ type: 'CLOSED', error }]);
  });

  it('is asked for no list, whatever changes: lists come from the first connection', async () => {
    const { session, events } = watchOne();
    session.emit(changed);
    session.emit({ type: 'reset' });
    await pass(60_000);
    expect([session.received, events]).toEqual([[], []]);
  });

  it('is heard no more when the watching has ended', () => {
    const { session, events, end } = watchOne();
    end();
    session.emit({ type: 'closed', error: exit('a') });
    expect(events).toEqual([]);
  });
});

describe('a backend that takes too much', () => {
  const MIB = 1024 ** 2;
  const watchWith = (kind: 'backend' | 'instance', changed: Partial<StdioBackendSpec>, deps: Partial<LiveDeps> = {}) => {
    const session = fakeSession({ pid: 42 });
    const events: BackendEvent[] = [];
    const input = { spec: { ...SPEC, ...changed }, session, items: NO_ITEMS, notes: [] };
    const watching = (kind === 'backend' ? watchSession : watchInstance)(input, { ...QUIET, ...deps }, (event) => events.push(event));
    return { session, events, ...watching };
  };

  it.each(['backend', 'instance'] as const)('of memory is to be replaced, once: a %s', async (kind) => {
    const asked: number[] = [];
    const { events, end } = watchWith(kind, { maxMemory: 100 * MIB }, { memoryOf: async (pid) => asked.push(pid) * 60 * MIB });
    await pass(10_000);
    expect([events, asked]).toEqual([[], [42]]);
    await pass(60_000);
    expect(events).toEqual([
      {
        type: 'RECYCLE',
        error: expect.objectContaining({
          code: 'memory_exceeded',
          message: '"a" takes 120 MiB of memory, which is more than 100 MiB (maxMemory); it is replaced',
        }),
      },
    ]);
    end();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('by a new limit is noticed too', async () => {
    const { events, retag } = watchWith('backend', {}, { memoryOf: async () => 200 * MIB });
    await pass(60_000);
    expect(events).toEqual([]);
    retag({ ...SPEC, maxMemory: 100 * MIB });
    await pass(10_000);
    expect(events).toMatchObject([{ type: 'RECYCLE' }]);
  });

  it('and whose memory is not known goes on', async () => {
    const { events, end } = watchWith('backend', { maxMemory: 1 });
    await pass(60_000);
    end();
    expect([events, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it('time without a request hibernates, by the limit in force; an instance does not', async () => {
    const { events, retag, end } = watchWith('backend', { idleTimeout: 60_000 });
    const instance = watchWith('instance', { idleTimeout: 60_000 });
    retag({ ...SPEC, idleTimeout: 120_000 });
    await pass(119_000);
    expect(events).toEqual([]);
    await pass(1_000);
    expect([events, instance.events]).toEqual([[{ type: 'HIBERNATE' }], []]);
    end();
    instance.end();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('patience is CLOSED, and killed', async () => {
    const { session, events } = watchWith('backend', {}, { limits: limitsWith() });
    session.request = async () => {
      throw new OnemcpError('timeout', 'silent');
    };
    await pass(30_000);
    expect(events).toMatchObject([{ type: 'CLOSED', kill: true, error: { code: 'unresponsive' } }]);
  });
});
