/** Random histories: what no order of events may break. fast-check prints the seed and the path that repeat a failure. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type History, play } from './history.ts';
import { type PeerStep, playPeer, SILENCE } from './peerHistory.ts';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 100);

/** Without a size fast-check prefers a handful. */
const LONG = { maxLength: 40, size: 'max' } as const;

const which = fc.nat(1000);
const step = (...names: string[]) => fc.record({ do: fc.constantFrom(...names), which });
const alone = [
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: 40_000 }) }) },
  { weight: 5, arbitrary: step('connect', 'connect', 'refuse', 'cleanUp', 'cleanUp') },
  { weight: 4, arbitrary: step('die', 'call', 'call', 'answer', 'change') },
  { weight: 2, arbitrary: step('need', 'release') },
] as const;
const asked = { weight: 2, arbitrary: step('wake', 'operate', 'configure', 'hibernate', 'recycle') };
const during = fc.oneof(...alone, asked);
const after = fc.oneof({ weight: 1, arbitrary: fc.constant({ do: 'drain' }) }, { weight: 5, arbitrary: during });
const historiesOf = (steps: fc.Arbitrary<object>): fc.Arbitrary<History> =>
  fc
    .tuple(fc.array(steps, LONG), fc.array(after, { maxLength: 12, size: 'max' }))
    .map(([before, end]) => [{ do: 'run' }, ...before, ...end] as History);

it('no history gives a backend two processes, leaves a call pending, or makes health differ from the state', async () => {
  await fc.assert(
    fc.asyncProperty(historiesOf(during), async (history) => {
      expect(await play(history)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

it('nor does one in which our own actors crash', async () => {
  const buggy = fc.oneof(...alone, asked, { weight: 2, arbitrary: step('bug') });
  await fc.assert(
    fc.asyncProperty(historiesOf(buggy), async (history) => {
      expect(await play(history)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

it('a successor takes over also when the actor of its predecessor crashed meanwhile', async () => {
  const restart = 450;
  const history = [
    { do: 'run' },
    ...['connect', 'operate', 'connect', 'connect', 'bug', 'connect'].map((what) => ({
      do: what,
      which: what === 'operate' ? restart : 0,
    })),
  ];
  expect(await play(history as History)).toEqual([]);
});

const peerStep = fc.oneof(
  { weight: 6, arbitrary: step('call') },
  { weight: 6, arbitrary: step('answer', 'error', 'nonsense', 'fail', 'progress', 'abort') },
  { weight: 3, arbitrary: step('ask', 'reply', 'takeBack') },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: SILENCE }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('stranger', 'anonymous', 'reset', 'die', 'close') }) },
);

it('every call of a session settles exactly once, by what came first, and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(peerStep, LONG) as fc.Arbitrary<PeerStep[]>, async (history) => {
      expect(await playPeer(history)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});
