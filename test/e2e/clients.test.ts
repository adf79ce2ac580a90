import { expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, startGateway, textOf, until, untilState } from './gateway.ts';

it(verifies(['E70', 'E74'], 'two clients with the same ids and progress tokens get exactly their own answers and progress'), async () => {
  const gateway = await startGateway({ shared: fixture('progress') });
  await untilState(gateway, 'shared', 'connected');
  const clients = await Promise.all([connect(gateway.url), connect(gateway.url)]);
  let cancelled = 0;
  const one = async (who: number, n: number) => {
    const client = clients[who] as (typeof clients)[0];
    const steps = 1 + ((n + who) % 3);
    const id = n;
    const pending = client.request(
      'tools/call',
      { name: 'shared__count', arguments: { n: steps, delayMs: 5 }, _meta: { progressToken: 0 } },
      { id },
    );
    const cancels = (n + who) % 10 === 0;
    if (cancels) await client.notify('notifications/cancelled', { requestId: id, reason: 'test' });
    const { message, before } = await pending;
    if (cancels && message === undefined) return void cancelled++;
    expect(message.id).toBe(id);
    expect((message.result.content as { text: string }[])[0]?.text).toBe(`counted to ${steps}`);
    for (const note of before) expect(note.params).toMatchObject({ progressToken: 0, total: steps });
    const values = before.map(({ params }) => params?.progress as number);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(before.length).toBe(steps);
  };
  for (let round = 0; round < 25; round++) {
    await Promise.all([0, 1].flatMap((who) => Array.from({ length: 20 }, (_, n) => one(who, round * 20 + n))));
  }
  const backend = JSON.parse(textOf(await (clients[0] as (typeof clients)[0]).call('shared__cancelled'))) as number[];
  console.log(`1,000 calls, ${cancelled} of them cancelled and unanswered; the backend was told of ${backend.length}`);
  expect(cancelled).toBeGreaterThan(50);
  expect(backend.length).toBe(cancelled);
  expect(new Set(backend).size).toBe(backend.length);
}, 60_000);

it(verifies('E78', 'cancelling one call leaves the call of another client alone'), async () => {
  const gateway = await startGateway({ shared: fixture('progress') });
  await untilState(gateway, 'shared', 'connected');
  const [a, b] = (await Promise.all([connect(gateway.url), connect(gateway.url)])) as [
    Awaited<ReturnType<typeof connect>>,
    Awaited<ReturnType<typeof connect>>,
  ];
  const ofA = a.request('tools/call', { name: 'shared__count', arguments: { n: 50, delayMs: 20 } }, { id: 7 });
  const ofB = b.request('tools/call', { name: 'shared__count', arguments: { n: 30, delayMs: 20 } }, { id: 7 });
  await a.notify('notifications/cancelled', { requestId: 7 });
  expect((await ofA).message).toBeUndefined();
  expect(textOf(await ofB)).toBe('counted to 30');
  expect((JSON.parse(textOf(await b.call('shared__cancelled'))) as number[]).length).toBe(1);
});

it(verifies(['E68', 'E69', 'D66'], 'a client that uses one id for everything gets each answer on its own exchange'), async () => {
  const gateway = await startGateway({ shared: fixture('good') });
  await untilState(gateway, 'shared', 'connected');
  const client = await connect(gateway.url);
  const answers = await Promise.all(
    [300, 10, 150].map((ms) => client.request('tools/call', { name: 'shared__slow', arguments: { ms } }, { id: 1 })),
  );
  expect(answers.map(textOf)).toEqual(['slept 300 ms', 'slept 10 ms', 'slept 150 ms']);
  expect(answers.map(({ message }) => message.id)).toEqual([1, 1, 1]);
  const typed = await Promise.all([client.request('ping', {}, { id: 1 }), client.request('ping', {}, { id: '1' })]);
  expect(typed.map(({ message }) => message.id)).toEqual([1, '1']);
});

it(verifies(['E82', 'I118'], 'the end of a session cancels its calls'), async () => {
  const gateway = await startGateway({ shared: fixture('progress') });
  await untilState(gateway, 'shared', 'connected');
  const [a, b] = (await Promise.all([connect(gateway.url), connect(gateway.url)])) as [
    Awaited<ReturnType<typeof connect>>,
    Awaited<ReturnType<typeof connect>>,
  ];
  const calls = [1, 2, 3].map(() => a.request('tools/call', { name: 'shared__count', arguments: { n: 500, delayMs: 20 } }));
  await until('the calls are in flight', async () => (await untilState(gateway, 'shared', 'connected')).inFlight === 3);
  expect(await a.close()).toBe(204);
  for (const call of calls) expect((await call).message).toBeUndefined();
  expect((JSON.parse(textOf(await b.call('shared__cancelled'))) as number[]).length).toBe(3);
  expect((await a.request('ping')).status).toBe(404);
});

it(verifies('E72', 'progress keeps a call alive although its client asked for none, and such a client sees none'), async () => {
  const gateway = await startGateway({ shared: fixture('progress') }, { requestTimeout: '600ms' });
  await untilState(gateway, 'shared', 'connected');
  const client = await connect(gateway.url);
  const answer = await client.call('shared__count', { n: 10, delayMs: 150 });
  expect(textOf(answer)).toBe('counted to 10');
  expect(answer.took).toBeGreaterThan(1200);
  expect(answer.before).toEqual([]);
  const silent = await client.call('shared__slow', { ms: 5000 });
  expect(textOf(silent)).toContain('did not answer tools/call within 600 ms');
});
