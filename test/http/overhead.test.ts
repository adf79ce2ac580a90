import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createEventStore, EVENT_BYTES, STREAM_BYTES } from '../../src/http/eventStore.ts';
import { createReplayBudget } from '../../src/http/replayBudget.ts';
import { createSessionStreams } from '../../src/http/sessionStreams.ts';
import { createStreams } from '../../src/http/streams.ts';
import { limitsWith } from '../../src/limits.ts';
import { reader } from './outletKit.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const MANY = 10_000;
const ENOUGH = 1_000_000_000;

/** Bytes of heap that each of many costs. */
async function costOf(make: () => void): Promise<number> {
  const heap = async () => {
    for (let n = 0; n < 3; n++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().heapUsed;
  };
  // What is compiled and grown only once.
  for (let n = 0; n < 200; n++) make();
  const before = await heap();
  for (let n = 0; n < MANY; n++) make();
  return ((await heap()) - before) / MANY;
}

it('a stream that is kept counts about what it costs', async () => {
  const budget = createReplayBudget(ENOUGH, STREAM_BYTES);
  const limits = limitsWith({ 'sse.replayBytes': ENOUGH });
  const streams = createStreams({ keepAlive: 15_000, queueBytes: limits['sse.queueBytes'] });
  const session = createSessionStreams({ limits, now: () => 0, streams, budget, protocolVersion: '2025-11-25' });
  const cost = await costOf(() => {
    const stream = session.answer(reader().outlet);
    stream.answer('{}');
    stream.end();
  });
  expect(budget.bytes).toBeGreaterThan(MANY * STREAM_BYTES);
  expect(cost).toBeGreaterThan(STREAM_BYTES / 4);
  expect(cost).toBeLessThan(STREAM_BYTES + EVENT_BYTES);
  session.close();
});

it('so does an event', async () => {
  const log = createEventStore({ maxEvents: ENOUGH, maxBytes: ENOUGH, maxKept: 1, budget: createReplayBudget(ENOUGH) }).open();
  const cost = await costOf(() => void log.append('{}'));
  expect(cost).toBeGreaterThan(EVENT_BYTES / 4);
  expect(cost).toBeLessThan(EVENT_BYTES);
  log.clear();
});
