import { expect, it } from 'vitest';
import { callOf, rpc, serve, until } from './serverKit.ts';

it('a POST beyond session.maxInFlight is 429 with the seconds after which to come again', async () => {
  const { open, calls } = await serve({ 'session.maxInFlight': 1 });
  const client = await open();
  const running = client.post(callOf('runs'));
  await until(() => calls.length === 1);
  const refused = await client.post(rpc('ping', {}, 'more'));
  await refused.ended;
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
  expect(refused.messages[0]).toMatchObject({ id: 'more', error: { data: { retryable: true, retryAfterMs: 1_000 } } });
  calls[0]?.answer();
  await (await running).ended;
});
