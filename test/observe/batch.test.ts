import fc from 'fast-check';
import { map, type Observable, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { batch } from '../../src/observe/batch.ts';
import { verifies } from '../support/verifies.ts';

const marbles = (run: Parameters<TestScheduler['run']>[0]) =>
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(run);
/** Each batch as a text, so that marbles can name it. */
const texts = (source$: Observable<string>, quiet: number, max: number) =>
  source$.pipe(
    batch({ quiet, max }),
    map((set) => [...set].join('')),
  );

describe('a batch', () => {
  it(verifies('one-batch', 'gathers a burst, and comes after the quiet time'), () => {
    marbles(({ cold, expectObservable }) => {
      const source$ = cold('ab-c------------d');
      expectObservable(texts(source$, 5, 100), '^ 40ms !').toBe('--------(x)----------y', { x: 'abc', y: 'd' });
    });
  });

  it('has each value once', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(texts(cold('aabab'), 3, 100), '^ 20ms !').toBe('-------x', { x: 'ab' });
    });
  });

  it(verifies('B35', 'ends after its longest time although the storm goes on, and the next begins: nobody is starved'), () => {
    marbles(({ cold, expectObservable }) => {
      const source$ = cold('aaaaaaaaaaaabaaaaaaaaaaaaaaaaaaaaaaa');
      expectObservable(texts(source$, 5, 10), '^ 33ms !').toBe('----------x----------y----------z', { x: 'a', y: 'ab', z: 'a' });
    });
  });

  it('leaves no timer when nothing happens: it ends with its source at once', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(texts(cold('---|'), 300, 2_000)).toBe('---|');
      expectObservable(texts(cold('a 400ms |'), 300, 2_000)).toBe('300ms x 100ms |', { x: 'a' });
    });
  });

  it('ends with its source, and loses nothing by that', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(texts(cold('ab|'), 5, 10)).toBe('--(x|)', { x: 'ab' });
    });
  });

  it('passes an error on', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(texts(cold('a-#'), 5, 10)).toBe('--#');
    });
  });

  it(verifies('B33', 'of ten that come within a second is one'), () => {
    marbles(({ cold, expectObservable }) => {
      const source$ = cold('a 99ms b 99ms c 99ms d 99ms e 99ms f 99ms g 99ms h 99ms i 99ms j');
      expectObservable(texts(source$, 300, 2_000), '^ 3s !').toBe('1200ms x', { x: 'abcdefghij' });
    });
  });

  it(verifies('one-batch', 'loses nothing and makes nothing up, whenever values come'), () => {
    const values = fc.array(fc.record({ after: fc.nat(12), value: fc.constantFrom('a', 'b', 'c') }), { maxLength: 40 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 20 }), (given, quiet, max) => {
        const scheduler = new TestScheduler(() => {});
        scheduler.run(({ flush }) => {
          const source$ = new Subject<string>();
          const times = new Map<number, string[]>();
          const batches: { at: number; set: ReadonlySet<string> }[] = [];
          source$.pipe(batch({ quiet, max, scheduler })).subscribe((set) => batches.push({ at: scheduler.now(), set }));
          let at = 0;
          for (const { after, value } of given) {
            at += after;
            times.set(at, [...(times.get(at) ?? []), value]);
            scheduler.schedule(() => source$.next(value), at);
          }
          scheduler.schedule(() => source$.complete(), at + quiet + max + 1);
          flush();
          let from = -1;
          for (const { at: end, set } of batches) {
            const came = [...times].filter(([time]) => time > from && time <= end).flatMap(([, list]) => list);
            // A value of the very millisecond of the end may be in this batch or in the next.
            for (const value of set) expect(came.concat(times.get(from) ?? [])).toContain(value);
            from = end;
          }
          const open = [...times.keys()].map((time) => batches.find(({ at: end }) => end >= time));
          expect(open).not.toContain(undefined);
          for (const [time, list] of times) {
            const next = batches.filter(({ at: end }) => end >= time).slice(0, 2);
            for (const value of list) expect(next.some(({ set }) => set.has(value))).toBe(true);
            expect((next[0]?.at as number) - time).toBeLessThanOrEqual(max);
          }
        });
      }),
      { numRuns: 200 },
    );
  });
});
