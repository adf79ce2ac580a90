/** Subscriptions of several clients to the resources of one server. */
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { BOARD, type Connect, deferToEnd, errorOf, open, pairOf, quiet, told, touch, WAYS } from './kit.ts';

const { directHttp, http, httpSse, session, stdio } = WAYS;

describe.each([directHttp, http, httpSse, stdio, session])('$title', (way) => {
  const shared = way.backend === 'http' || way.backend === 'stdio';
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { defer }));
  });

  it('an update reaches the subscribers, and nobody else', async () => {
    const [a, b] = await pairOf(connect);
    await a.subscribe('/alone');
    await b.subscribe('/alone-of-b');
    await touch(a, '/alone');
    await touch(b, '/alone-of-b');
    await touch(b, '/alone-of-nobody');
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([['resources/updated /alone'], ['resources/updated /alone-of-b']]);
  });

  it(verifies('H108', 'an update of a resource below reaches the subscriber of the one above, with its own URI'), async () => {
    const [a, b] = await pairOf(connect);
    await a.subscribe('/above');
    await touch(a, '/above/part');
    await touch(a, '/abovey');
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([['resources/updated /above/part'], []]);
    expect(await a.request('resources/read', { uri: a.raw[0]?.params?.uri })).toMatchObject({
      contents: [{ text: `note at ${BOARD}/above/part` }],
    });
  });

  it('twice subscribed is once subscribed', async () => {
    const [a, b] = await pairOf(connect);
    await a.subscribe('/twice');
    await a.subscribe('/twice');
    await touch(a, '/twice');
    await quiet(a);
    await a.unsubscribe('/twice');
    await touch(a, '/twice');
    await a.unsubscribe('/twice');
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([['resources/updated /twice'], []]);
  });

  it(verifies('H106', 'a refused subscription is an error, and is asked for again'), async () => {
    const [a, b] = await pairOf(connect);
    for (const times of [1, 2]) {
      expect(await errorOf(a.subscribe('/refused'))).toMatchObject({
        code: -32050,
        message: expect.stringContaining('nobody may watch this'),
      });
      expect((await told(a, '/refused')).subscribe).toBe(times);
    }
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([[], []]);
  });

  it.runIf(shared)(verifies('H105', 'the server is told of the first subscriber, and of the last one that leaves'), async () => {
    const [a, b] = await pairOf(connect);
    await Promise.all([a.subscribe('/counted'), b.subscribe('/counted')]);
    expect(await told(a, '/counted')).toEqual({ subscribe: 1, unsubscribe: 0 });
    await touch(a, '/counted');
    await quiet(a, b);
    await a.unsubscribe('/counted');
    expect(await told(a, '/counted')).toEqual({ subscribe: 1, unsubscribe: 0 });
    await touch(a, '/counted');
    await quiet(a, b);
    await b.unsubscribe('/counted');
    expect(await told(a, '/counted')).toEqual({ subscribe: 1, unsubscribe: 1 });
    expect(await touch(a, '/counted')).toBe(0);
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([['resources/updated /counted'], ['resources/updated /counted', 'resources/updated /counted']]);
  });

  it.runIf(shared)('a client that leaves takes its subscriptions along, and not those of others', async () => {
    const [a, b] = await pairOf(connect);
    await Promise.all([a.subscribe('/left'), b.subscribe('/left'), a.subscribe('/only-a')]);
    await a.leave();
    await until('the server knows', async () => (await told(b, '/only-a')).unsubscribe === 1);
    expect(await told(b, '/left')).toEqual({ subscribe: 1, unsubscribe: 0 });
    await touch(b, '/left');
    await quiet(b);
    expect([a.got, b.got]).toEqual([[], ['resources/updated /left']]);
  });

  it.runIf(shared)('a client that comes later is not told of what others subscribed to', async () => {
    const a = await connect('a');
    await a.subscribe('/later');
    await touch(a, '/later');
    const late = await connect('late');
    await touch(late, '/later');
    await quiet(a, late);
    expect([a.got, late.got]).toEqual([['resources/updated /later', 'resources/updated /later'], []]);
  });
});
