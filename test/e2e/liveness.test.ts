import { expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, startGateway, until, untilState } from './gateway.ts';

it.skipIf(process.platform === 'win32')(
  verifies('dead-found', 'a frozen server is killed and replaced, while another serves'),
  async () => {
    const gateway = await startGateway({ odd: fixture('freezes'), good: fixture('good') }, { ping: { interval: 500, timeout: 500 } });
    const client = await connect(gateway.url);
    const { pid } = await untilState(gateway, 'odd', 'connected');
    process.kill(pid as number, 'SIGSTOP');
    await until('it is replaced', async () => {
      const { body } = await gateway.health();
      return body.servers.details.some((entry) => entry.name === 'odd' && entry.status === 'connected' && entry.pid !== pid);
    });
    expect(gateway.logs.some(({ message }) => String(message).includes('did not answer 2 pings'))).toBe(true);
    expect((await client.call('good__echo', { text: 'a' })).message.result.isError).toBeFalsy();
    expect((await client.call('odd__echo', { text: 'b' })).message.result.isError).toBeFalsy();
  },
);

it('a storm of progress reaches the client thinned out, the last of it before the result, and a flood is reported', async () => {
  const gateway = await startGateway({ storm: fixture('progress-storm'), logs: fixture('log-flood') });
  const client = await connect(gateway.url);
  await untilState(gateway, 'storm', 'connected');
  await untilState(gateway, 'logs', 'connected');
  const { before, message } = await client.call('storm__boom', {}, { progressToken: 'p' });
  expect(message.result.isError).toBeFalsy();
  const progress = before.map(({ params }) => params?.progress as number);
  expect(progress.at(-1)).toBe(20_000);
  // 20 at once, 10 a second, however long it took.
  expect(progress.length).toBeLessThan(400);
  expect((await client.call('logs__boom')).message.result.content).toEqual([{ type: 'text', text: 'through the flood' }]);
  await until('the flood is reported', () => gateway.logs.some(({ event, backend }) => event === 'backend.flood' && backend === 'logs'));
});
