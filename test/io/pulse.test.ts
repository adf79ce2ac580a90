import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OnemcpError, WireError } from '../../src/errors.ts';
import { watchPulse } from '../../src/io/pulse.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import type { BackendSession, SessionEvent } from '../../src/world.ts';
import { fakeSession } from '../support/fakeWorld.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const SILENCE = 'silence';

/** `answer`: what the next ping meets: silence for its whole timeout, an error, or an answer. */
function watch(changed: Partial<Limits> = {}) {
  const listeners = new Set<(event: SessionEvent) => void>();
  const state = { lastReceived: performance.now(), inFlight: 0, answer: undefined as Error | typeof SILENCE | undefined };
  const pings: number[] = [];
  const dead: OnemcpError[] = [];
  const session: BackendSession = {
    ...fakeSession(),
    get lastReceived() {
      return state.lastReceived;
    },
    get inFlight() {
      return state.inFlight;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async request(method, _params, options = {}) {
      expect(method).toBe('ping');
      pings.push(performance.now());
      const { answer } = state;
      if (answer === SILENCE) {
        await new Promise((resolve) => setTimeout(resolve, options.timeoutMs));
        throw new OnemcpError('timeout', 'no answer');
      }
      if (answer instanceof OnemcpError) throw answer;
      state.lastReceived = performance.now();
      if (answer) throw answer;
      return {};
    },
  };
  const end = watchPulse(session, { name: 'it', limits: limitsWith(changed), onDead: (error) => dead.push(error) });
  const emit = (event: SessionEvent) => {
    for (const listener of listeners) listener(event);
  };
  return { state, pings, dead, end, emit, listeners };
}

describe('a backend', () => {
  it('that is silent is asked each interval, and not while it says something', async () => {
    const { state, pings, dead } = watch();
    await pass(60_000);
    expect(pings).toHaveLength(2);
    for (let second = 0; second < 100; second++) {
      state.lastReceived = performance.now();
      await pass(1_000);
    }
    expect([pings.length, dead]).toEqual([2, []]);
  });

  it('that is never to be asked is not, whatever happens', async () => {
    const { pings, emit, listeners } = watch({ 'ping.interval': 0 });
    emit({ type: 'timedOut' });
    await pass(600_000);
    expect([pings, listeners.size, vi.getTimerCount()]).toEqual([[], 0, 0]);
  });

  it('that does not answer twice is dead 50 s after its last word', async () => {
    const { state, pings, dead } = watch();
    state.answer = SILENCE;
    await pass(49_999);
    expect([pings.length, dead]).toEqual([2, []]);
    await pass(1);
    expect(dead).toMatchObject([
      {
        code: 'unresponsive',
        message: '"it" did not answer 2 pings within 10 s each; it is restarted (ping.timeout)',
        data: { server: 'it', reason: 'unresponsive', retryable: true },
      },
    ]);
    await pass(600_000);
    expect([pings.length, dead.length, vi.getTimerCount()]).toEqual([2, 1, 0]);
  });

  it('that answers every second time lives', async () => {
    const { state, dead, pings } = watch();
    for (let round = 0; round < 10; round++) {
      const asked = pings.length;
      state.answer = SILENCE;
      while (pings.length === asked) await pass(1_000);
      state.answer = undefined;
      await pass(10_000);
    }
    expect(dead).toEqual([]);
  });

  it.each([
    ['a JSON-RPC error', new WireError({ code: -32601, message: 'what is a ping?' })],
    ['an HTTP error', new OnemcpError('http_status', '401')],
  ])('that answers with %s lives', async (_title, answer) => {
    const { state, dead, pings } = watch();
    state.answer = answer;
    await pass(600_000);
    expect(dead).toEqual([]);
    expect(pings.length).toBeGreaterThan(10);
  });

  it('that says something else while it is asked lives', async () => {
    const { state, dead } = watch();
    state.answer = SILENCE;
    for (let second = 0; second < 300; second++) {
      await pass(1_000);
      if (second % 20 === 19) state.lastReceived = performance.now();
    }
    expect(dead).toEqual([]);
  });

  it('that works on requests is not asked until it is done', async () => {
    const { state, pings } = watch();
    state.inFlight = 1;
    await pass(300_000);
    expect(pings).toEqual([]);
    state.inFlight = 0;
    await pass(10_000);
    expect(pings).toHaveLength(1);
  });

  it('with a request that timed out is asked at once, and believed once', async () => {
    const { state, pings, dead, emit } = watch();
    state.answer = SILENCE;
    state.inFlight = 3;
    await pass(1_000);
    emit({ type: 'timedOut' });
    emit({ type: 'timedOut' });
    expect(pings).toHaveLength(1);
    await pass(10_000);
    expect(dead).toMatchObject([{ message: '"it" did not answer a ping within 10 s; it is restarted (ping.timeout)' }]);
  });

  it('with a request that timed out lives when it answers, and has two pings again', async () => {
    const { state, dead, emit } = watch();
    emit({ type: 'timedOut' });
    await pass(0);
    state.answer = SILENCE;
    await pass(45_000);
    expect(dead).toEqual([]);
    await pass(5_000);
    expect(dead).toHaveLength(1);
  });

  it('is not to blame for a deadline that came late because we were stopped', async () => {
    const { state, pings, dead } = watch();
    state.answer = SILENCE;
    await pass(30_000);
    expect(pings).toHaveLength(1);
    // The clock jumps, and then the timer fires.
    const { now } = performance;
    vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 60_000);
    await pass(20_000);
    expect([pings.length, dead]).toEqual([3, []]);
    await pass(10_000);
    expect(dead).toHaveLength(1);
  });

  it('is asked no more when the watching has ended', async () => {
    const { pings, dead, end, emit, listeners, state } = watch();
    state.answer = SILENCE;
    await pass(31_000);
    end();
    emit({ type: 'timedOut' });
    await pass(600_000);
    expect([pings.length, dead, listeners.size, vi.getTimerCount()]).toEqual([1, [], 0, 0]);
  });
});
