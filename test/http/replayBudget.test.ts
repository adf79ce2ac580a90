import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStore, type EventLog } from '../../src/http/eventStore.ts';
import { createReplayBudget } from '../../src/http/replayBudget.ts';

/** What an event costs besides its text. */
const OVERHEAD = 256;
const SIZE = 1000;
const EVENT = 'x'.repeat(SIZE - OVERHEAD);
const NOTHING = { maxEvents: 100, maxBytes: 1_000_000, maxKept: 64 };

/** Stores of some sessions, with room for so many events together. */
function stores(events: number) {
  const budget = createReplayBudget(events * SIZE);
  const gone: string[] = [];
  const open = (name: string, session = createEventStore({ ...NOTHING, budget })): EventLog => session.open(() => gone.push(name));
  return { budget, gone, open, session: () => createEventStore({ ...NOTHING, budget }) };
}

describe('what all sessions keep together', () => {
  it('is bounded: the oldest stream is forgotten as a whole, whosever it is, undelivered answers too', () => {
    const { budget, gone, open } = stores(4);
    const [a, b, c] = [open('a'), open('b'), open('c')];
    a.append(EVENT, true);
    b.append(EVENT, true);
    a.append(EVENT, true);
    c.append(EVENT);
    expect([gone, budget.bytes]).toEqual([[], 4 * SIZE]);
    c.append(EVENT);
    expect([gone, budget.bytes, a.isEmpty, a.after(0), a.after(1), a.after(2)]).toEqual([['a'], 3 * SIZE, true, undefined, undefined, []]);
    expect([b.after(0)?.length, c.after(0)?.length]).toEqual([1, 2]);
  });

  it('holds what the streams cost besides their events, too', () => {
    const budget = createReplayBudget(4_000, 500);
    const [a, b, c] = [1, 2, 3].map(() => createEventStore({ ...NOTHING, budget }).open()) as [EventLog, EventLog, EventLog];
    a.append(EVENT);
    b.append(EVENT);
    expect(budget.bytes).toBe(2 * (SIZE + 500));
    c.append(EVENT);
    expect([a.isEmpty, budget.bytes]).toEqual([true, 2 * (SIZE + 500)]);
    b.clear();
    c.clear();
    expect(budget.bytes).toBe(0);
  });

  it('is given up first where no client is connected, in the order in which they went', () => {
    const { gone, open } = stores(4);
    const logs = ['a', 'b', 'c', 'd'].map((name) => open(name));
    const [a, b, c, d] = logs as [EventLog, EventLog, EventLog, EventLog];
    for (const log of logs) {
      log.attend(true);
      log.append(EVENT);
    }
    c.attend(false);
    b.attend(false);
    d.append(EVENT);
    d.append(EVENT);
    expect(gone).toEqual(['c', 'b']);
    // Nobody is left who has gone.
    d.append(EVENT);
    d.append(EVENT);
    expect(gone).toEqual(['c', 'b', 'a', 'd']);
    expect([a.isEmpty, d.isEmpty]).toEqual([true, true]);
  });

  it('is spared where a client has come back', () => {
    const { gone, open } = stores(2);
    const [a, b, c] = [open('a'), open('b'), open('c')];
    a.append(EVENT);
    b.append(EVENT);
    a.attend(true);
    c.append(EVENT);
    expect(gone).toEqual(['b']);
  });

  it('may be nothing: an event that is larger than all room is not kept', () => {
    const { budget, open } = stores(1);
    const log = open('a');
    expect([log.append('x'.repeat(SIZE), true), log.isEmpty, log.after(0), log.after(1), budget.bytes]).toEqual([
      1,
      true,
      undefined,
      [],
      0,
    ]);
  });

  it('counts a stream no longer that kept nothing for a while', () => {
    const { gone, open } = stores(2);
    const [a, b, c] = [open('a'), open('b'), open('c')];
    a.append(EVENT);
    b.append(EVENT);
    a.clear();
    a.append(EVENT);
    c.append(EVENT);
    expect(gone).toEqual(['b']);
  });
});

type Step = { readonly log: number; readonly size: number; readonly act: 'say' | 'keep' | 'release' | 'clear' | 'come' | 'go' };

it('whatever is said, and whoever comes and goes, the bound holds, and clients that have gone pay first', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    log: fc.nat(8),
    size: fc.nat(2_000),
    act: fc.constantFrom('say', 'say', 'keep', 'keep', 'keep', 'release', 'clear', 'come', 'go'),
  });
  let evictions = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12_000 }), fc.array(step, { minLength: 40, maxLength: 150, size: 'max' }), (maxBytes, steps) => {
      const budget = createReplayBudget(maxBytes);
      // Bounds of their own that do not play a part here.
      const sessions = Array.from({ length: 3 }, () => createEventStore({ ...NOTHING, maxEvents: 1_000, maxKept: 1_000, budget }));
      const lost: number[] = [];
      const logs = Array.from({ length: 9 }, (_, n) => (sessions[n % 3] as (typeof sessions)[0]).open(() => lost.push(n)));
      const held = logs.map(() => 0);
      const here = logs.map(() => false);
      for (const { log: n, size, act } of steps) {
        const log = logs[n] as EventLog;
        const before = [...held];
        lost.length = 0;
        if (act === 'say' || act === 'keep') {
          log.append('x'.repeat(size), act === 'keep');
          held[n] = (held[n] as number) + size + OVERHEAD;
        } else if (act === 'release') log.release();
        else if (act === 'clear') {
          log.clear();
          held[n] = 0;
        } else {
          log.attend(act === 'come');
          here[n] = act === 'come';
        }
        const wanted = held.reduce((sum, bytes) => sum + bytes);
        for (const each of lost) held[each] = 0;
        evictions += lost.length;

        expect(budget.bytes).toBe(held.reduce((sum, bytes) => sum + bytes));
        expect(budget.bytes).toBeLessThanOrEqual(maxBytes);
        expect(logs.map(({ isEmpty }) => isEmpty)).toEqual(held.map((bytes) => bytes === 0));
        // Nothing is given up without need, not even the last of several.
        const last = lost.at(-1);
        if (last === undefined) expect(wanted).toBeLessThanOrEqual(maxBytes);
        else expect(budget.bytes + (before[last] as number) + (last === n ? size + OVERHEAD : 0)).toBeGreaterThan(maxBytes);
        if (lost.some((each) => here[each])) expect(held.filter((bytes, each) => bytes > 0 && !here[each])).toEqual([]);
      }
      for (const log of logs) log.clear();
      expect(budget.bytes).toBe(0);
    }),
    { numRuns: 300 },
  );
  // Or the test would prove little.
  expect(evictions).toBeGreaterThan(300);
});
