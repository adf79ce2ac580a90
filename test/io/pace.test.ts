import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace, TokenBucket } from '../../src/io/pace.ts';
import { ProgressGate } from '../../src/io/progress.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => void vi.advanceTimersByTime(ms);
const now = () => performance.now();

describe('a token bucket', () => {
  it('gives its burst at once, then its rate, and saves up no more than its burst', () => {
    const bucket = new TokenBucket(10, 20);
    const taken = () => Array.from({ length: 100 }, () => bucket.take(now())).filter(Boolean).length;
    expect(taken()).toBe(20);
    pass(500);
    expect(taken()).toBe(5);
    pass(3_600_000);
    expect(taken()).toBe(20);
  });
});

describe('the pace of a backend', () => {
  const LOG = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}';
  const exhaust = (pace: Pace) => {
    while (pace.take(now()));
  };

  it('is not slowed down within the budget, however long a chunk takes', () => {
    const pace = new Pace(200);
    pace.take(now());
    const began = pace.begin();
    pass(50);
    expect([began, pace.restAfter(began)]).toEqual([0, 0]);
  });

  it('leaves a flood a quarter of the time, on all its streams together', () => {
    const pace = new Pace(200);
    let worked = 0;
    const start = now();
    exhaust(pace);
    while (now() - start < 10_000) {
      const began = pace.begin();
      exhaust(pace);
      pass(5);
      worked += 5;
      const rest = pace.restAfter(began);
      expect(pace.restAfter(pace.begin())).toBe(rest);
      pass(rest);
    }
    expect(worked / (now() - start)).toBeCloseTo(0.25, 1);
  });

  it('drops surplus log messages unparsed, and nothing else', () => {
    const pace = new Pace(200);
    expect(pace.isSurplus(LOG)).toBe(false);
    exhaust(pace);
    const others = [
      '{"jsonrpc":"2.0","method":"notifications/messages"}',
      '{"jsonrpc":"2.0","id":1,"result":{"method":"notifications/message"}}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled"}',
    ];
    expect([LOG, ...others].map((text) => pace.isSurplus(text))).toEqual([true, false, false, false]);
    expect(pace.dropped).toBe(1);
    pass(1_000);
    expect(pace.isSurplus(LOG)).toBe(false);
  });
});

describe('progress of a request', () => {
  const gate = () => {
    const delivered: number[] = [];
    return { delivered, gate: new ProgressGate<number>((value) => delivered.push(value), 10) };
  };

  it('within its rate needs no timer', () => {
    const { delivered, gate: it } = gate();
    for (let n = 1; n <= 20; n++) it.push(n, now());
    expect([delivered.length, vi.getTimerCount()]).toEqual([20, 0]);
  });

  it('beyond it is thinned out: the newest has its turn, in order, and the last one comes before the end', () => {
    const { delivered, gate: it } = gate();
    for (let n = 1; n <= 5_000; n++) {
      it.push(n, now());
      pass(1);
    }
    it.push(5_001, now());
    it.flush();
    expect(delivered.at(-1)).toBe(5_001);
    expect(delivered).toEqual(delivered.toSorted((a, b) => a - b));
    // 20 at once, 10 a second for 5 s, the last one.
    expect(delivered.length).toBeGreaterThan(60);
    expect(delivered.length).toBeLessThanOrEqual(71);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that stops in between is delivered up to the newest', () => {
    const { delivered, gate: it } = gate();
    for (let n = 1; n <= 100; n++) it.push(n, now());
    pass(100);
    expect([delivered.at(-1), vi.getTimerCount()]).toEqual([100, 0]);
  });

  it('that nobody wants any more is forgotten', () => {
    const { delivered, gate: it } = gate();
    for (let n = 1; n <= 100; n++) it.push(n, now());
    it.drop();
    pass(1_000);
    it.flush();
    expect(delivered).toHaveLength(20);
  });
});
