/** Profiles while the gateway runs, and the commands that look at them. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { connect, fixture, MAIN, type Running, startGateway, until, untilState } from './gateway.ts';

const save = ({ folder }: Running, mcpServers: Json, gateway: Json = {}, name = 'mcp.json') =>
  writeFileSync(join(folder, name), JSON.stringify({ mcpServers, gateway }, null, 2));

/** The program of the gateway, where the gateway is. */
function onemcp({ folder }: Running, ...args: string[]) {
  const env = { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(folder, 'state') };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, encoding: 'utf8', env });
  return { status, stdout, stderr };
}

const SERVERS = {
  base: fixture('good'),
  dev: fixture('good', {}, { profiles: ['dev'] }),
  test: fixture('good', {}, { profiles: ['test'] }),
};

const states = async (running: Running) =>
  Object.fromEntries((await running.health()).body.servers.details.map(({ name, status }) => [name, status]));

it('a server whose profile is not active is shown like a disabled one, with its reason', async () => {
  const running = await startGateway(SERVERS, {}, ['--profile', 'test']);
  await untilState(running, 'test', 'connected');
  const { body } = await running.health();
  expect(body.servers.details.find(({ name }) => name === 'dev')).toEqual({
    name: 'dev',
    status: 'disabled',
    healthy: false,
    reason: 'profile dev is not active',
  });
  expect(body.configuration).toMatchObject({ serverCount: 3, enabledCount: 2, disabledCount: 1 });
  const client = await connect(running.url);
  const [left, unknown] = [await client.call('dev__echo'), await client.call('nobody__echo')].map(({ message }) => message.error);
  expect(left?.code).toBe(unknown?.code);
  expect(left?.message).toBe(unknown?.message.replace('nobody__echo', 'dev__echo'));
  expect(onemcp(running, 'why', 'dev').stderr).toBe('onemcp: server "dev" does not run: profile dev is not active\n');
  expect(onemcp(running, 'list', '--profile', 'test').stdout).toMatch(
    /^dev +stdio +profile dev is not active +\S+.*\ntest +stdio {2,}(?!profile)/m,
  );
});

it('a reload applies gateway.profiles and the profiles of an entry, and touches nothing else', async () => {
  const running = await startGateway(SERVERS);
  const pid = (await untilState(running, 'base', 'connected')).pid;
  save(running, SERVERS, { profiles: ['dev'] });
  await untilState(running, 'dev', 'connected');
  expect(await states(running)).toEqual({ base: 'connected', dev: 'connected', test: 'disabled' });
  expect(running.logs.filter(({ event }) => event === 'config.needs_restart')).toEqual([]);
  save(
    running,
    { ...SERVERS, dev: { ...SERVERS.dev, profiles: ['test'] }, test: { ...SERVERS.test, profiles: ['dev'] } },
    { profiles: ['dev'] },
  );
  await untilState(running, 'test', 'connected');
  await untilState(running, 'dev', 'disabled');
  expect((await untilState(running, 'base', 'connected')).pid).toBe(pid);
  expect(onemcp(running, 'why', 'dev').stdout).toContain('dev does not run: profile test is not active');
  // Only the reason changes.
  save(
    running,
    { ...SERVERS, dev: { ...SERVERS.dev, disabled: true }, test: { ...SERVERS.test, profiles: ['dev'] } },
    { profiles: ['dev'] },
  );
  await until('the reason has gone', async () => {
    const { details } = (await running.health()).body.servers;
    return details.some(({ name, status, reason }) => name === 'dev' && status === 'disabled' && reason === undefined);
  });
});

it('plan shows what other profiles and another --env would change in the running gateway', async () => {
  const running = await startGateway(SERVERS, { reload: { quiet: '1h', max: '1h' } });
  await untilState(running, 'base', 'connected');
  save(running, { more: fixture('good') }, {}, 'mcp.production.json');
  expect(onemcp(running, 'plan').stdout).toMatch(/revision 1\):\n {2}unchanged {2}base$/m);
  expect(onemcp(running, 'plan', '--profile', 'dev', '--profile', 'test').stdout).toMatch(
    /\n {2}start {6}dev, test\n {2}unchanged {2}base\n/,
  );
  expect(onemcp(running, 'plan', '--env', 'production').stdout).toMatch(/\n {2}start {6}more\n {2}unchanged {2}base\n/);
  // It was only looked at.
  expect(onemcp(running, 'reload').status).toBe(0);
  expect(await states(running)).toEqual({ base: 'connected', dev: 'disabled', test: 'disabled' });
});

it('check, and an explanation, know the option', async () => {
  const running = await startGateway(SERVERS);
  expect(onemcp(running, 'check', '--profile', 'dev').stdout).toBe('./mcp.json: ok, 2 servers, 1 disabled\n');
  expect(onemcp(running, 'check', '--profile', 'dve').stderr).toBe(
    'warning: --profile: no server has the profile "dve", did you mean "dev"?\n',
  );
  expect(onemcp(running, 'config', 'explain', 'profiles', '--profile', 'dev').stdout).toContain(
    'profiles = dev\n  from   command line, --profile',
  );
  expect(onemcp(running, 'check', '--profile', '').status).toBe(2);
});
