import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { type Receiver, receiver } from '../io/webhookKit.ts';
import { verifies } from '../support/verifies.ts';
import { fixture, MAIN, startGateway, until, untilState } from './gateway.ts';

const KEY = 'a key that only both ends know';
const TOKEN = 'sesame-open-the-door';

const alertsOf = ({ got }: Receiver): readonly Json[] => got.map(({ body }) => JSON.parse(body) as Json);
const typesOf = (there: Receiver) => alertsOf(there).map(({ type }) => type);

it(verifies('alert-once', 'a backend that is killed again and again is told of once, and once when it is well again'), async () => {
  const there = await receiver();
  const servers = { victim: fixture('good', { API_TOKEN: TOKEN }), other: fixture('good') };
  const gateway = await startGateway(servers, {
    restart: { initial: '50ms', max: '100ms', failures: 100, resetAfter: '1s' },
    alerts: { webhooks: [{ url: there.url, secret: KEY }], after: '1s', recoverAfter: '1s' },
  });
  for (let kills = 0; kills < 8; kills++) {
    const { pid } = await untilState(gateway, 'victim', 'connected');
    process.kill(pid as number, 'SIGKILL');
    await until('it is noticed', async () =>
      (await gateway.health()).body.servers.details.find(({ name, pid: now }) => name === 'victim' && now !== pid),
    );
  }
  await until('the incident is told', () => there.got.length > 0);
  await untilState(gateway, 'victim', 'connected');
  await until('its end is told', () => typesOf(there).includes('recovered'));
  await gateway.stop();

  const [opened, recovered, ...more] = alertsOf(there);
  expect(more).toEqual([]);
  expect(opened).toMatchObject({ severity: 'warning', server: 'victim', error: expect.stringContaining('SIGKILL') });
  expect(['crash_loop', 'backend_failed']).toContain(opened?.type);
  expect(recovered).toMatchObject({ type: 'recovered', server: 'victim', incident: opened?.incident, since: opened?.since });
  expect(opened).toMatchObject({ gateway: { url: gateway.url } });
  for (const { headers, body } of there.got) {
    const signed = createHmac('sha256', KEY).update(`${headers['onemcp-timestamp']}.${body}`).digest('hex');
    expect(headers['onemcp-signature']).toBe(`v1=${signed}`);
  }
  expect(JSON.stringify(there.got.map(({ body }) => body))).not.toMatch(new RegExp(`${KEY}|${TOKEN}|T0KEN|s3cret`));
  expect(JSON.stringify(gateway.logs)).not.toMatch(new RegExp(`${KEY}|${TOKEN}|T0KEN|s3cret`));
  expect(gateway.logs.filter(({ event }) => event === 'alert.sent')).toHaveLength(2);
});

it('a rejected configuration is told once, to those who want to know, and a receiver that hangs holds nobody up', async () => {
  const [there, elsewhere, hung] = [await receiver(), await receiver(), await receiver(() => {})];
  const options = {
    reload: { quiet: '50ms' },
    alerts: {
      webhooks: [
        { url: hung.url },
        { url: there.url, format: 'slack', types: ['config_rejected'] },
        { url: elsewhere.url, types: ['backend_failed'] },
      ],
      after: '200ms',
      recoverAfter: '200ms',
      timeout: '60s',
      flushTimeout: '300ms',
    },
  };
  const good = { mcpServers: { a: fixture('good') }, gateway: options };
  const gateway = await startGateway(good.mcpServers, options);
  await untilState(gateway, 'a', 'connected');
  const write = (text: string) => writeFileSync(join(gateway.folder, 'mcp.json'), text);
  write(JSON.stringify({ ...good, mcpServers: { a: { ...fixture('good'), [TOKEN]: 1 } } }));
  await until('it is told', () => there.got.length === 1);
  write(JSON.stringify({ ...good, mcpServers: 1 }));
  await until('it is rejected again', () => gateway.logs.filter(({ event }) => event === 'config.kept').length === 2);
  write(JSON.stringify(good));
  await until('its end is told', () => there.got.length === 2);
  expect(await gateway.stop()).toBe(0);

  const texts = alertsOf(there).map(({ text }) => String(text));
  expect(texts[0]).toMatch(/^:large_orange_circle: \*onemcp\* on .*: The configuration was rejected; revision 1 stays in force\./);
  expect(texts[1]).toMatch(/^:large_green_circle: .*: The configuration is valid again after \d+s\./);
  expect(elsewhere.got).toEqual([]);
  expect(hung.got).toHaveLength(1);
});

it(verifies('alert-muted', 'what is muted by command is told of after it is unmuted'), async () => {
  const there = await receiver();
  const options = { reload: { quiet: '50ms' }, alerts: { webhooks: [{ url: there.url }], after: '50ms' } };
  const gateway = await startGateway({}, options);
  const alert = (...args: string[]) => {
    const env = { ...process.env, ONEMCP_STATE_DIR: join(gateway.folder, 'state') };
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'alert', ...args], {
      cwd: gateway.folder,
      encoding: 'utf8',
      env,
    });
    return [status, stdout + stderr];
  };
  expect(alert('mute', 'configuration', '--for', '1h')).toEqual([
    0,
    'no alerts about "configuration" for 1h 0m, or until: onemcp alert unmute configuration\n',
  ]);
  expect(alert('mute', 'nobody')).toEqual([1, expect.stringContaining('there is no server "nobody"')]);
  writeFileSync(join(gateway.folder, 'mcp.json'), JSON.stringify({ mcpServers: 1, gateway: options }));
  await until('it is rejected', () => gateway.logs.some(({ event }) => event === 'config.kept'));
  const unmuted = Date.now();
  expect(alert('unmute', 'configuration')).toEqual([0, 'alerts about "configuration" are sent again\n']);
  await until('it is told', () => there.got.length > 0);
  const [told] = alertsOf(there);
  expect(told?.type).toBe('config_rejected');
  expect(Date.parse(String(told?.at))).toBeGreaterThanOrEqual(unmuted);
});
