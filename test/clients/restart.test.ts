/** What clients notice of a server that crashed and came back. */
import { expect, it } from 'vitest';
import { until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { open, pairOf, quiet, startAsker, told, touch, WAYS } from './kit.ts';

const { http, httpSse, session, stdio, stdioSse } = WAYS;
const elicited = (who: string) => ({ result: { action: 'accept', content: { who } } });

it.each([stdio, stdioSse])(
  verifies('H107', '$title has the subscriptions again, with one update of each for each subscriber'),
  async (way) => {
    const { connect } = await open(way);
    const [a, b] = await pairOf(connect);
    const before = (await a.whoami()).pid;
    await Promise.all([a.subscribe('/x'), b.subscribe('/x'), b.subscribe('/y')]);
    await expect(a.call('crash')).rejects.toThrow('asker');
    await Promise.all([a.gets('resources/updated /x'), b.gets('resources/updated /x'), b.gets('resources/updated /y')]);
    expect((await a.whoami()).pid).not.toBe(before);
    const late = await connect('late');
    await quiet(a, b, late);
    expect(a.got).toEqual(['resources/updated /x']);
    expect([...b.got].sort()).toEqual(['resources/updated /x', 'resources/updated /y']);
    expect(late.got).toEqual([]);
    expect(await told(a, '/x')).toEqual({ subscribe: 1, unsubscribe: 0 });
    expect(await told(a, '/y')).toEqual({ subscribe: 1, unsubscribe: 0 });
    await touch(b, '/y');
    await quiet(a, b);
    expect([a.got.length, b.got.length]).toEqual([1, 3]);
  },
);

it.each([http, httpSse])('$title has the subscriptions again, with one update for each subscriber', async (way) => {
  const { connect, asker } = await open(way);
  const [a, b] = await pairOf(connect);
  await Promise.all([a.subscribe('/x'), b.subscribe('/x')]);
  await asker?.kill();
  await startAsker({ port: asker?.port as number });
  // A call finds out, if nothing else does.
  await until('calls work again', () => a.whoami().then(Boolean, () => false));
  await Promise.all([a.gets('resources/updated /x'), b.gets('resources/updated /x')]);
  await touch(b, '/x');
  await quiet(a, b);
  const expected = ['resources/updated /x', 'resources/updated /x'];
  expect([a.got, b.got]).toEqual([expected, expected]);
  expect(await told(a, '/x')).toEqual({ subscribe: 1, unsubscribe: 0 });
});

it("the process of one client has that client's subscriptions again, and nobody else hears of it", async () => {
  const { connect } = await open(session);
  const [a, b] = await pairOf(connect);
  await Promise.all([a.subscribe('/x'), b.subscribe('/x')]);
  await expect(a.call('crash')).rejects.toThrow('asker');
  await until('calls work again', () => a.whoami().then(Boolean, () => false));
  await a.gets('resources/updated /x');
  await touch(b, '/x');
  await quiet(a, b);
  expect([a.got, b.got]).toEqual([['resources/updated /x'], ['resources/updated /x']]);
});

it.each([http, httpSse])('$title: each client is asked its own again', async (way) => {
  const { connect, asker } = await open(way);
  const [a, b] = await pairOf(connect);
  expect(await a.call('ask_form', { question: 'before?' })).toEqual(elicited('a'));
  await asker?.kill();
  await startAsker({ port: asker?.port as number });
  for (const peer of [a, b]) await until(`${peer.name} can call again`, () => peer.whoami().then(Boolean, () => false));
  expect(await Promise.all([a, b].map((peer) => peer.call('ask_form', { question: `after, ${peer.name}?` })))).toEqual([
    elicited('a'),
    elicited('b'),
  ]);
  await quiet(a, b);
  expect(a.got).toEqual(['elicitation/create before?', 'elicitation/create after, a?']);
  expect(b.got).toEqual(['elicitation/create after, b?']);
});
