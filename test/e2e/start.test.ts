import { expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, startGateway, textOf, until, untilState } from './gateway.ts';

it(verifies(['A1', 'B26', 'B32'], 'answers at once whatever the backends do, and shows them as they come'), async () => {
  const fast = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`fast-${n}`, fixture('good')]));
  const slow = Object.fromEntries(Array.from({ length: 3 }, (_, n) => [`slow-${n}`, fixture('slow-start', { DELAY_MS: '5000' })]));
  const gateway = await startGateway({ silent: fixture('hang-on-init'), ...slow, ...fast });
  const began = performance.now();
  const clients = await Promise.all([connect(gateway.url), connect(gateway.url)]);
  const handshake = performance.now() - began;
  const notes = await Promise.all(clients.map((client) => client.listen()));

  const first = await (clients[0] as (typeof clients)[0]).call('fast-0__echo', { text: 'early' });
  expect(textOf(first)).toContain('early');
  const { status } = await gateway.health();
  expect(status).toBe(200);

  await Promise.all(clients.map((client) => client.request('tools/list')));
  for (const name of Object.keys(slow)) await untilState(gateway, name, 'connected', 30_000);
  const late = await connect(gateway.url);
  notes.push(await late.listen());
  await until('every session knows the slow ones', async () => {
    const lists = await Promise.all(clients.map((client) => client.request('tools/list')));
    return lists.every(({ message }) => (message.result.tools as unknown[]).length === 19 * 3);
  });
  console.log(
    `2 handshakes beside 20 starting backends: ${handshake.toFixed(0)} ms; notifications per session: ${notes.map((list) => list.length)}`,
  );
  for (const list of notes.slice(0, 2)) {
    expect(list.length).toBeGreaterThan(0);
    expect(list.length).toBeLessThanOrEqual(5);
    expect(new Set(list.map(({ method }) => method))).toEqual(new Set(['notifications/tools/list_changed']));
  }
  expect((await gateway.health()).body.servers.details.find(({ name }) => name === 'silent')?.status).toBe('starting');
}, 60_000);

it(verifies(['B31', 'initial-wait'], 'the first list waits for backends that are starting, but not for ever'), async () => {
  const gateway = await startGateway(
    { soon: fixture('slow-start', { DELAY_MS: '1500' }), never: fixture('hang-on-init') },
    { initialWait: '3s' },
  );
  const client = await connect(gateway.url);
  const { message } = await client.request('tools/list');
  expect((message.result.tools as { name: string }[]).map(({ name }) => name)).toEqual(['soon__boom', 'soon__echo', 'soon__slow']);
  expect(message.result._meta).toEqual({ 'dev.onemcp/partial': [{ server: 'never', state: 'starting' }] });
});

it(verifies('D62', 'a call to a backend that is starting waits for it'), async () => {
  const gateway = await startGateway({ soon: fixture('slow-start', { DELAY_MS: '1500' }) });
  const client = await connect(gateway.url);
  expect(textOf(await client.call('soon__echo', { text: 'patience' }))).toContain('patience');
});

it('a call to a backend that does not come says so: its name, its state, what happens next', async () => {
  const gateway = await startGateway({ broken: fixture('crash-on-start') }, { callWait: '500ms', restart: { initial: '20s', max: '20s' } });
  const client = await connect(gateway.url);
  await until('it has failed', async () => ((await gateway.health()).body.servers.details[0]?.failures as number) >= 1);
  const answer = await client.call('broken__echo');
  expect(answer.message.result.isError).toBe(true);
  expect(textOf(answer)).toMatch(/^Server "broken" is down and will be restarted.*exited with code 1.*next start is in .* s/);
  const { status, body } = await gateway.health();
  expect([status, body.status]).toEqual([503, 'unhealthy']);
});

it('says in JSON what a collector would otherwise stumble over: warnings of the configuration', async () => {
  const gateway = await startGateway({ off: { ...fixture('good'), disabled: true } });
  const warning = gateway.logs.find(({ event }) => event === 'config.warning');
  expect(warning).toMatchObject({ level: 'warn', message: 'mcp.json:2:3 mcpServers: there is no enabled server' });
});
