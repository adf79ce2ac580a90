import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchIdleness } from '../../src/io/idleness.ts';
import type { BackendSession } from '../../src/world.ts';
import { fakeSession } from '../support/fakeWorld.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function watch(idleTimeout: number) {
  const state = { lastRequested: performance.now(), inFlight: 0, held: false, idle: 0 };
  const session: BackendSession = {
    ...fakeSession(),
    get lastRequested() {
      return state.lastRequested;
    },
    get inFlight() {
      return state.inFlight;
    },
  };
  const { set, end } = watchIdleness(session, { idleTimeout, isHeld: () => state.held, onIdle: () => void state.idle++ });
  return { state, set, end };
}

describe('a backend of which nothing is asked', () => {
  it('is idle after idleTimeout, and each time it has passed again', async () => {
    const { state } = watch(60_000);
    await pass(59_999);
    expect(state.idle).toBe(0);
    await pass(1);
    expect(state.idle).toBe(1);
    await pass(60_000);
    expect(state.idle).toBe(2);
  });

  it('counts from its last request', async () => {
    const { state } = watch(60_000);
    await pass(50_000);
    state.lastRequested = performance.now();
    await pass(59_000);
    expect(state.idle).toBe(0);
    await pass(1_000);
    expect(state.idle).toBe(1);
  });

  it.each(['inFlight', 'held'] as const)('is not idle while %s, and soon afterwards', async (why) => {
    const { state } = watch(60_000);
    Object.assign(state, why === 'held' ? { held: true } : { inFlight: 1 });
    await pass(300_000);
    expect(state.idle).toBe(0);
    Object.assign(state, { held: false, inFlight: 0 });
    await pass(10_000);
    expect(state.idle).toBe(1);
  });

  it('is never idle with 0, and has no timer, until that changes', async () => {
    const { state, set, end } = watch(0);
    expect(vi.getTimerCount()).toBe(0);
    await pass(300_000);
    set(60_000);
    await pass(0);
    expect(state.idle).toBe(1);
    set(0);
    expect(vi.getTimerCount()).toBe(0);
    set(60_000);
    end();
    expect(vi.getTimerCount()).toBe(0);
  });
});
