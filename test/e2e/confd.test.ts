/** Servers of files in `conf.d` beside the configuration, in a running gateway and for the commands that only read. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, isAlive, MAIN, type Running, startGateway, until, untilState } from './gateway.ts';

const DISCOVERY = { discovery: { confd: 'conf.d' } };

const write = (folder: string, name: string, content: Json | string) => {
  mkdirSync(join(folder, 'conf.d'), { recursive: true });
  // As an editor saves: nobody sees half a file.
  writeFileSync(join(folder, 'half'), typeof content === 'string' ? content : JSON.stringify(content));
  renameSync(join(folder, 'half'), join(folder, 'conf.d', name));
};

interface Source {
  readonly name: string;
  readonly status: string;
  readonly since: string;
  readonly servers: number;
  readonly lastError?: string;
  readonly notes?: readonly string[];
}

async function look(running: Running) {
  const { body } = await running.health();
  const { sources = [] } = body.configuration as { readonly sources?: readonly Source[] };
  const problems = body.problems as readonly string[] | undefined;
  return { status: body.status, problems, source: sources[0], names: body.servers.details.map(({ name }) => name) };
}

const pidOf = async (running: Running, name: string) => (await untilState(running, name, 'connected')).pid as number;

it(verifies(['discovery', 'discovery-kept'], 'a file that comes, breaks and goes touches its own servers only'), async () => {
  const running = await startGateway({ own: fixture('good') }, DISCOVERY);
  const { folder } = running;
  const own = await pidOf(running, 'own');
  expect((await look(running)).source).toMatchObject({
    name: 'conf.d',
    status: 'ok',
    servers: 0,
    notes: [expect.stringContaining('no such folder yet')],
  });
  const client = await connect(running.url);
  const heard = await client.listen();
  const tools = async () => {
    const { message } = await client.request('tools/list', {});
    return new Set((message.result.tools as { name: string }[]).map(({ name }) => name.replace(/__.*/, '')));
  };

  write(folder, 'files.json', fixture('good'));
  const files = await pidOf(running, 'files');
  await until('clients are told', () => heard.some(({ method }) => method === 'notifications/tools/list_changed'));
  expect(await tools()).toEqual(new Set(['own', 'files']));

  write(folder, 'two.jsonc', { mcpServers: { one: fixture('good'), two: fixture('good') } });
  await pidOf(running, 'two');
  expect((await look(running)).source).toMatchObject({ status: 'ok', servers: 3 });

  write(folder, 'files.json', '{ "command": ');
  const broken = await until('the mistake shows', async () => {
    const now = await look(running);
    return now.source?.status === 'failing' && now;
  });
  expect(broken.source?.lastError).toMatch(/^conf\.d\/files\.json:1:\d+: expected a value \(what the file said before stays in force/);
  expect(broken.problems).toEqual([expect.stringMatching(/^servers of conf\.d cannot be read: conf\.d\/files\.json:1/)]);
  expect(broken).toMatchObject({ status: 'degraded', names: ['own', 'files', 'one', 'two'] });
  await until('it is in the log', () => running.logs.some(({ event, file }) => event === 'config.warning' && file === 'conf.d/files.json'));
  expect(await pidOf(running, 'files')).toBe(files);

  // Another edit goes on while that file is broken.
  rmSync(join(folder, 'conf.d/two.jsonc'));
  await until('its servers are gone', async () => !(await look(running)).names.includes('two'));
  expect(await pidOf(running, 'files')).toBe(files);

  write(folder, 'files.json', fixture('good', {}, { tags: ['mended'] }));
  await until('it is well again', async () => (await look(running)).status === 'healthy');
  expect(await untilState(running, 'files', 'connected')).toMatchObject({ pid: files, tags: ['mended'] });

  rmSync(join(folder, 'conf.d/files.json'));
  await until('its process has ended', () => !isAlive(files));
  expect(await pidOf(running, 'own')).toBe(own);
  expect(running.logs.filter(({ event }) => event === 'config.rejected')).toEqual([]);
});

it(verifies('discovery-conflict', 'a name that the file has already is left out, and said once'), async () => {
  const running = await startGateway({ own: fixture('good') }, DISCOVERY);
  const { folder } = running;
  const own = await pidOf(running, 'own');
  write(folder, 'own.json', fixture('silent'));
  const { source } = await until('the conflict shows', async () => {
    const now = await look(running);
    return now.source?.notes?.[0]?.includes('own.json') && now;
  });
  const said = 'there is already a server "own" (mcp.json:3), which wins; rename one of them (the server "own" is left out)';
  expect(source).toMatchObject({ status: 'ok', servers: 0, notes: [`conf.d/own.json:1:1: ${said}`] });
  expect((await look(running)).status).toBe('healthy');
  write(folder, 'more.json', fixture('good'));
  await pidOf(running, 'more');
  expect(await pidOf(running, 'own')).toBe(own);
  const env = { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(folder, 'state') };
  const plan = spawnSync(process.execPath, [MAIN, 'plan'], { cwd: folder, env, encoding: 'utf8' });
  expect(plan).toMatchObject({ status: 0, stderr: `warning: conf.d/own.json:1:1: ${said}\n` });
});

it('the commands that only read a configuration read conf.d as well', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-confd-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { own: { command: 'own' } }, gateway: DISCOVERY }));
  write(folder, 'a.json', { command: 'a', args: ['-x'] });
  write(folder, 'b.json', { mcpServers: { own: { command: 'x' }, b: { url: 'https://b.example/mcp' } } });
  write(folder, 'c.json', 'no JSON');
  const onemcp = (...args: readonly string[]) => {
    const env = { PATH: process.env.PATH, HOME: folder };
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, env, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const check = onemcp('check', 'mcp.json');
  expect(check.status).toBe(0);
  expect(check.stderr.split('\n').map((line) => line.replace(/ \(.*/, ''))).toEqual([
    expect.stringMatching(/^warning: conf\.d\/c\.json:1:1: unexpected text/),
    'warning: conf.d/b.json:1:16 mcpServers.own: there is already a server "own"',
    '',
  ]);
  const list = onemcp('list', '--json');
  expect(JSON.parse(list.stdout)).toMatchObject([
    { name: 'own', command: ['own'] },
    { name: 'a', command: ['a', '-x'], from: 'conf.d/a.json' },
    { name: 'b', url: 'https://b.example/mcp', from: 'conf.d/b.json:1' },
  ]);
  expect(onemcp('list').stdout).toContain('(conf.d/a.json)');
  expect(onemcp('plan', 'mcp.json').stdout).toMatch(/start +own, a, b/);
  expect(onemcp('config', 'explain', 'discovery.confd').stdout).toMatch(
    /^discovery\.confd = conf\.d\n {2}from +file, (?:\.\/)?mcp\.json:1:\d+/,
  );
});
