import { describe, expect, it } from 'vitest';
import { ERROR_META } from '../../src/mcp/failure.ts';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { type Answer, connect, fixture, startGateway, textOf, until, untilState } from './gateway.ts';

const began = (answer: Answer) => JSON.parse(textOf(answer)) as { number: number; atOnce: number };
const metaOf = ({ message }: Answer) => (message.result._meta as Json | undefined)?.[ERROR_META];

describe('a slow server with maxConcurrency 2', () => {
  it(verifies('fair-queue', 'never has more at once, and serves a second client in turn with one that has ten waiting'), async () => {
    const gateway = await startGateway({ slow: fixture('at-once', {}, { maxConcurrency: 2, queueTimeout: '30s' }) });
    await untilState(gateway, 'slow', 'connected');
    const [greedy, modest] = [await connect(gateway.url), await connect(gateway.url)];
    const many = Array.from({ length: 12 }, () => greedy.call('slow__work', { ms: 500 }));
    const health = () => gateway.health().then(({ body }) => body.servers.details[0]);
    const busy = await until('ten wait', () => health().then((server) => server?.queued === 10 && server));
    expect([busy.inFlight, Number(busy.queueAgeMs) >= 0]).toEqual([2, true]);
    const one = await modest.call('slow__work', { ms: 500 });
    const all = (await Promise.all(many)).map(began);
    // Two ran and at most two more had their turn before; a fair machine lets it be the fourth, first come first served the last.
    expect(began(one).number).toBeLessThan(8);
    expect(Math.max(...all.map(({ atOnce }) => atOnce), began(one).atOnce)).toBe(2);
    expect(new Set([...all, began(one)].map(({ number }) => number)).size).toBe(13);
    expect(await health()).not.toHaveProperty('queued');
  });

  it(
    verifies('fair-queue', 'answers busy at once when its queue is full, and when a turn takes too long; both say when to come again'),
    async () => {
      const gateway = await startGateway({ slow: fixture('at-once', {}, { maxConcurrency: 2, maxQueue: 3, queueTimeout: '300ms' }) });
      await untilState(gateway, 'slow', 'connected');
      const client = await connect(gateway.url);
      const answers = await Promise.all(Array.from({ length: 8 }, () => client.call('slow__work', { ms: 1_000 })));
      const reasons = answers.map((answer) => (metaOf(answer) as Json | undefined)?.reason ?? 'served');
      expect(reasons.toSorted()).toEqual([...Array(3).fill('queue-full'), ...Array(3).fill('queue-timeout'), ...Array(2).fill('served')]);
      for (const answer of answers) {
        if (!metaOf(answer)) continue;
        expect(answer.message.result.isError).toBe(true);
        expect(textOf(answer)).toMatch(/^Server "slow" is busy: .* Nothing was sent to it\.$/);
        expect(metaOf(answer)).toMatchObject({ server: 'slow', retryable: true, retryAfterMs: expect.any(Number) });
      }
      expect(began(await client.call('slow__work', { ms: 1 })).number).toBe(3);
    },
  );
});

it(verifies('wake-on-call', 'a server that sleeps is started by the first call, and not by lists'), async () => {
  const gateway = await startGateway({ lazy: fixture('good', {}, { lazy: true }) }, { callWait: '1ms' });
  const client = await connect(gateway.url);
  const tools = await until('its lists are known', async () => {
    const { result } = (await client.request('tools/list')).message;
    return (result.tools as Json[]).length > 0 && result.tools;
  });
  await untilState(gateway, 'lazy', 'idle');
  expect((await client.request('tools/list')).message.result.tools).toEqual(tools);
  expect((await gateway.health()).body.servers.details[0]?.status).toBe('idle');
  expect(JSON.parse(textOf(await client.call('lazy__echo', { text: 'x' })))).toEqual({ text: 'x' });
  await untilState(gateway, 'lazy', 'connected');
});
