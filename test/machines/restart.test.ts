import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restartDelay, spendRestart } from '../../src/machines/restart.ts';
import { verifies } from '../support/verifies.ts';

const BACKOFF = { initial: 500, max: 30_000 };

describe('the delay of a restart', () => {
  it(verifies(['backoff', 'J136'], 'is at most 1 s at first, doubles with each failure, and is at most 30 s'), () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) => restartDelay(failures, 1, BACKOFF));
    expect(bounds).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it(verifies('backoff', 'is between half and all of its bound: what died together does not come back together'), () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, random) => {
          const bound = restartDelay(failures, 1, BACKOFF);
          expect(restartDelay(failures, random, BACKOFF)).toBe(Math.round((bound * (1 + random)) / 2));
        },
      ),
    );
  });

  it(verifies('backoff', 'of 1,000 backends is spread evenly'), () => {
    const tenths = new Array<number>(10).fill(0);
    for (let n = 0; n < 1_000; n++) {
      const tenth = Math.min(9, Math.floor((restartDelay(7, n / 1_000, BACKOFF) - 15_000) / 1_500));
      tenths[tenth] = (tenths[tenth] as number) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 100)).toBeLessThanOrEqual(2);
  });
});

describe('a budget of restarts', () => {
  const budget = { restarts: 3, within: 1_000 };

  it('is spent one by one, and renews itself with time', () => {
    const spent = [0, 10, 20].reduce<readonly number[]>((times, now) => spendRestart(times, now, budget) ?? [], []);
    expect(spent).toEqual([0, 10, 20]);
    expect(spendRestart(spent, 999, budget)).toBeUndefined();
    expect(spendRestart(spent, 1_000, budget)).toEqual([10, 20, 1_000]);
  });

  it(verifies('respawn-budget', 'never allows more restarts in any window than it has'), () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 60 }), (pauses) => {
        const granted: number[] = [];
        let times: readonly number[] = [];
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          const next = spendRestart(times, now, budget);
          if (!next) continue;
          granted.push(now);
          times = next;
        }
        for (const end of granted) {
          const inWindow = granted.filter((time) => time > end - budget.within && time <= end);
          expect(inWindow.length).toBeLessThanOrEqual(budget.restarts);
        }
      }),
    );
  });
});
