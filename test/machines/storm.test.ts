/** Many backends, and much time: what the schedule of restarts looks like from far away. Virtual time. */
import { expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { flush } from '../support/fakeWorld.ts';
import { createRoot, exit, opened } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

const HERD = 100;
const AT_ONCE = 8;
const INITIAL = 500;

/** A repeatable number in [0, 1), evenly spread. */
function chance(): () => number {
  let state = 7;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Advances the clock in steps, and tells what happens in each. */
async function pass(system: ReturnType<typeof createRoot>, ms: number, each: (at: number) => void, step = 10): Promise<void> {
  for (let at = step; at <= ms; at += step) {
    system.clock.increment(step);
    await flush();
    each(at);
  }
}

it(verifies('no-herd', 'a hundred that die together come back over half of the delay, at most eight at once'), async () => {
  const names = Array.from({ length: HERD }, (_, n) => `b${n}`);
  const system = createRoot(names, { random: chance() });
  const answered = new Set<object>();
  const answerAll = () => {
    for (const opening of system.io.opening) {
      if (answered.has(opening)) continue;
      answered.add(opening);
      opening.resolve(opened());
    }
  };
  system.root.send({ type: 'RUN' });
  for (let turn = 0; system.inState('connected').length < HERD; turn++) {
    if (turn > 50) throw new Error('they never all connected');
    answerAll();
    await flush();
  }

  for (const name of names) system.io.say(name, { type: 'CLOSED', error: exit(name) });
  await flush();
  const before = system.io.opening.length;
  const starts: number[] = [];
  let most = 0;
  const began = new Map<object, number>();
  await pass(system, 4_000, (at) => {
    most = Math.max(most, system.inState('starting').length);
    for (const opening of system.io.opening.slice(before)) {
      if (!began.has(opening)) starts.push(at);
      if (!began.has(opening)) began.set(opening, at);
      // A start takes 20 ms.
      if (!answered.has(opening) && at - (began.get(opening) as number) >= 20) {
        answered.add(opening);
        opening.resolve(opened());
      }
    }
  });

  expect(starts).toHaveLength(HERD);
  expect(system.inState('connected')).toHaveLength(HERD);
  expect(most).toBeLessThanOrEqual(AT_ONCE);
  const [first, last] = [Math.min(...starts), Math.max(...starts)];
  const longest = 2 * INITIAL;
  expect(first).toBeGreaterThanOrEqual(INITIAL);
  expect(last - first).toBeGreaterThanOrEqual(0.45 * longest);
  const histogram = new Array<number>(10).fill(0);
  for (const start of starts) {
    const tenth = Math.min(9, Math.floor(((start - first) / (last - first)) * 10));
    histogram[tenth] = (histogram[tenth] as number) + 1;
  }
  console.log(`100 restarts over ${first}–${last} ms, at most ${most} at once; by tenths: ${histogram.join(' ')}`);
  // No tenth of the time has more than a quarter of the starts, and none is empty.
  expect(Math.max(...histogram)).toBeLessThanOrEqual(HERD / 4);
  expect(Math.min(...histogram)).toBeGreaterThan(0);
});

it(
  verifies(
    'circuit',
    'five failures in a minute open the circuit; probes after 30 s, doubling to 300 s; a minute of good running forgives',
  ),
  async () => {
    const system = createRoot(['x'], { random: () => 0 });
    system.root.send({ type: 'RUN' });
    await flush();
    const failed: number[] = [];
    const times: number[] = [];
    let began = system.clock.now();
    const next = async (limit = 400_000): Promise<number> => {
      const count = system.io.opening.length;
      for (let waited = 0; waited < limit; waited += 250) {
        system.clock.increment(250);
        await flush();
        if (system.io.opening.length > count) break;
      }
      const gap = system.clock.now() - began;
      began = system.clock.now();
      return gap;
    };
    for (let failure = 1; failure <= 10; failure++) {
      system.io.openOf('x').reject(new OnemcpError('backend_exited', '"x" exited', { server: 'x', reason: 'exit' }));
      await flush();
      if (system.state('x') === 'failed') failed.push(failure);
      times.push(await next());
    }
    // 0.5 s doubling, then probes.
    expect(times).toEqual([500, 1_000, 2_000, 4_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    expect(failed).toEqual([5, 6, 7, 8, 9, 10]);

    // It works again: a minute of good running and it is as if nothing had been.
    system.io.openOf('x').resolve(opened());
    await flush();
    expect(system.state('x')).toBe('connected');
    system.clock.increment(60_001);
    await flush();
    began = system.clock.now();
    system.io.say('x', { type: 'CLOSED', error: exit('x') });
    await flush();
    expect(system.state('x')).toBe('retrying');
    expect(await next()).toBe(500);
  },
);

it('one failure during a probe that worked for less than a minute opens it again', async () => {
  const system = createRoot(['x'], { random: () => 0 });
  system.root.send({ type: 'RUN' });
  await flush();
  for (let failure = 1; failure <= 5; failure++) {
    system.io.openOf('x').reject(exit('x'));
    await flush();
    const count = system.io.opening.length;
    for (let waited = 0; waited < 40_000 && system.io.opening.length === count; waited += 250) {
      system.clock.increment(250);
      await flush();
    }
  }
  system.io.openOf('x').resolve(opened());
  await flush();
  expect(system.state('x')).toBe('connected');
  system.clock.increment(30_000);
  await flush();
  system.io.say('x', { type: 'CLOSED', error: exit('x') });
  await flush();
  expect(system.state('x')).toBe('failed');
});

it(verifies('clock-jump', 'a wall clock that jumps by days changes no delay and no window'), async () => {
  let jump = 0;
  const system = createRoot(['x'], { random: () => 0, now: () => 1_000_000_000_000 + jump });
  system.root.send({ type: 'RUN' });
  await flush();
  const days = 3 * 86_400_000;
  const delays: number[] = [];
  for (let failure = 1; failure <= 5; failure++) {
    jump = failure % 2 ? days : -days;
    system.io.openOf('x').reject(exit('x'));
    await flush();
    const began = system.clock.now();
    const count = system.io.opening.length;
    jump = 0;
    for (let waited = 0; waited < 40_000 && system.io.opening.length === count; waited += 250) {
      system.clock.increment(250);
      await flush();
    }
    delays.push(system.clock.now() - began);
  }
  expect(delays).toEqual([500, 1_000, 2_000, 4_000, 30_000]);
});
