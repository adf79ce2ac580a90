import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStore, type EventLog } from '../../src/http/eventStore.ts';
import { createReplayBudget } from '../../src/http/replayBudget.ts';

/** What an event costs besides its text. */
const OVERHEAD = 256;
/** What a stream that keeps events costs besides. */
const STREAM = 1_024;
const store = ({ maxEvents = 100, maxBytes = 1_000_000, maxKept = 10, budget = createReplayBudget(1_000_000) } = {}) =>
  createEventStore({ maxEvents, maxBytes, maxKept, budget });
const rest = (log: EventLog, seq: number) => log.after(seq)?.map(({ text }) => text);

describe('the events of a stream', () => {
  it('are numbered from 1, and given again from any number that was given', () => {
    const log = store().open();
    expect([log.append('a'), log.skip(), log.append('b')]).toEqual([1, 2, 3]);
    expect([0, 1, 2, 3].map((seq) => rest(log, seq))).toEqual([['a', 'b'], ['b'], ['b'], []]);
    expect(log.after(4)).toBeUndefined();
  });

  it('are so many at most; who missed one that was dropped is told', () => {
    const log = store({ maxEvents: 2 }).open();
    for (const text of ['a', 'b', 'c', 'd']) log.append(text);
    expect([1, 2, 3].map((seq) => rest(log, seq))).toEqual([undefined, ['c', 'd'], ['d']]);
  });

  it('give way to newer ones of other streams, the oldest first', () => {
    const { open } = store({ maxBytes: 2 * STREAM + 3 * (OVERHEAD + 1) });
    const dropped: string[] = [];
    const [first, second] = [open(() => dropped.push('first')), open(() => dropped.push('second'))];
    first.append('a');
    second.append('b');
    first.append('c');
    second.append('d');
    second.append('e');
    expect(dropped).toEqual(['first', 'second']);
    expect([rest(first, 1), rest(second, 1), rest(second, 0), rest(first, 0)]).toEqual([['c'], ['d', 'e'], undefined, undefined]);
  });

  it('an answer that was not delivered outlives both bounds, and what came before it does not', () => {
    const { open } = store({ maxEvents: 2, maxBytes: STREAM + 2 * (OVERHEAD + 1) });
    const [calling, other] = [open(), open()];
    calling.append('p');
    calling.append('answer'.repeat(1000), true);
    for (let n = 0; n < 50; n++) other.append('x');
    expect([rest(calling, 1)?.length, calling.after(0)]).toEqual([1, undefined]);
    calling.release();
    expect(calling.after(1)).toBeUndefined();
  });

  it('what follows a kept answer is kept too', () => {
    const { open } = store({ maxBytes: 0 });
    const log = open();
    log.append('first answer', true);
    log.append('progress of the second');
    expect(rest(log, 0)).toEqual(['first answer', 'progress of the second']);
  });

  it('of all that is kept the oldest gives way', () => {
    const made = store({ maxBytes: 0, maxKept: 2 });
    const logs = ['a', 'b', 'c'].map((text) => {
      const log = made.open();
      log.append(text, true);
      return log;
    });
    expect([logs.map((log) => rest(log, 0)), made.kept, made.bytes]).toEqual([[undefined, ['b'], ['c']], 2, 0]);
  });

  it('are all gone when a stream is forgotten', () => {
    const made = store();
    const log = made.open();
    log.append('a');
    log.append('b', true);
    log.clear();
    expect([made.bytes, made.kept, log.isEmpty, log.after(0)]).toEqual([0, 0, true, undefined]);
  });

  it('ids of streams are never the same', () => {
    const ids = Array.from({ length: 1000 }, () => store().open().id);
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[\w-]{16}$/);
  });
});

type Step = { readonly log: number; readonly size: number; readonly act: 'say' | 'keep' | 'release' | 'clear' | 'skip' };
const steps = fc.array(
  fc.record({
    log: fc.nat(4),
    size: fc.nat(600),
    act: fc.constantFrom('say', 'say', 'say', 'keep', 'release', 'clear', 'skip') as fc.Arbitrary<Step['act']>,
  }),
  { maxLength: 200 },
);

it('whatever is said, a store stays within its bounds, counts right, and gives either all that is missing or nothing', () => {
  const bounds = fc.record({ maxEvents: fc.nat(20), maxBytes: fc.nat(20_000), maxKept: fc.nat(4) });
  fc.assert(
    fc.property(bounds, steps, (limits, acts) => {
      const budget = createReplayBudget(1_000_000, STREAM);
      const made = createEventStore({ ...limits, budget });
      const logs = Array.from({ length: 5 }, () => made.open());
      /** All that was ever said, by log and number. */
      const said = logs.map(() => new Map<number, string>());
      for (const [n, { log: index, size, act }] of acts.entries()) {
        const log = logs[index] as EventLog;
        const text = `${n}:`.padEnd(size, 'é');
        if (act === 'say' || act === 'keep') said[index]?.set(log.append(text, act === 'keep'), text);
        else if (act === 'skip') log.skip();
        else if (act === 'release') log.release();
        else log.clear();

        let held = 0;
        let bytes = 0;
        for (const [of, each] of logs.entries()) {
          for (let seq = 0; seq <= each.last; seq++) {
            const missing = each.after(seq);
            const expected = [...(said[of] ?? [])].filter(([number]) => number > seq).map(([, value]) => value);
            if (missing) expect(missing.map((event) => event.text)).toEqual(expected);
          }
          // The longest rest that is given is all that the log holds.
          const longest = Array.from({ length: each.last + 1 }, (_, seq) => each.after(seq)).find((rest) => rest) ?? [];
          held += longest.length;
          if (longest.length > 0) bytes += STREAM;
          bytes += longest.reduce((sum, event) => sum + Buffer.byteLength(event.text) + OVERHEAD, 0);
          expect(longest.length).toBeLessThanOrEqual(Math.max(limits.maxEvents, limits.maxKept));
        }
        expect(budget.bytes).toBe(bytes);
        expect(made.bytes).toBeLessThanOrEqual(limits.maxBytes);
        expect(made.kept).toBeLessThanOrEqual(limits.maxKept);
        expect(held).toBeGreaterThanOrEqual(made.kept);
        expect(bytes).toBeGreaterThanOrEqual(made.bytes);
        if (made.kept === 0) expect(bytes).toBe(made.bytes);
      }
    }),
    { numRuns: 150 },
  );
});
