/** A running gateway and a configuration that changes: what changed is touched, and nothing else. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, MAIN, type Running, startGateway, until, untilState } from './gateway.ts';

const GOOD = resolve(import.meta.dirname, '../fixtures/backends/good.mjs');

const fileOf = ({ folder }: Running) => join(folder, 'mcp.json');
const save = (running: Running, mcpServers: Json, gateway: Json = {}) =>
  writeFileSync(fileOf(running), JSON.stringify({ mcpServers, gateway }, null, 2));

interface Configuration {
  readonly revision: number;
  readonly appliedAt: string;
  readonly serverCount: number;
  readonly lastError?: { readonly at: string; readonly issues: readonly string[]; readonly count: number };
}
const configuration = async (running: Running) => (await running.health()).body.configuration as Configuration;

const untilRevision = (running: Running, revision: number) =>
  until(`revision ${revision} is in force`, async () => {
    const now = await configuration(running);
    return now.revision >= revision && now;
  });
const untilRejected = (running: Running) => until('the configuration is refused', async () => (await configuration(running)).lastError);

const entryOf = async (running: Running, name: string) =>
  (await running.health()).body.servers.details.find((entry) => entry.name === name);
const pidOf = async (running: Running, name: string) => (await untilState(running, name, 'connected')).pid as number;

async function toolsOf({ url }: Running): Promise<string[]> {
  const client = await connect(url);
  const { message } = await client.request('tools/list', {});
  await client.close();
  return (message.result.tools as { name: string }[])
    .map(({ name }) => name.replace(/__.*/, ''))
    .filter((name, at, all) => all.indexOf(name) === at);
}

const good = (more: Json = {}) => fixture('good', {}, more);

describe('a configuration file', () => {
  it(
    verifies(['config-transaction', 'config-unchanged'], 'with errors changes nothing and is shown; the next good one is applied'),
    async () => {
      const running = await startGateway({ a: good() });
      const pid = await pidOf(running, 'a');
      expect(await configuration(running)).toMatchObject({ revision: 1, serverCount: 1 });

      writeFileSync(fileOf(running), '{ "mcpServers": {\n  "a": { "comand": "x" },\n  "b": { "command": "y", "dependsOn": ["c"] }\n} }');
      const { issues, count, at } = await untilRejected(running);
      expect(issues).toEqual([
        'mcp.json:2:10 mcpServers.a.comand: unknown key, did you mean "command"?',
        expect.stringMatching(/^mcp\.json:3:40 mcpServers\.b\.dependsOn\[0\]: there is no server "c"/),
      ]);
      expect(count).toBe(2);
      expect(Date.parse(at)).toBeGreaterThan(0);
      expect(await configuration(running)).toMatchObject({ revision: 1, serverCount: 1 });
      expect(running.logs.filter(({ event }) => event === 'config.rejected').map(({ line, column }) => [line, column])).toEqual([
        [2, 10],
        [3, 40],
      ]);
      expect(await toolsOf(running)).toEqual(['a']);

      save(running, { a: good(), b: good() });
      const applied = await untilRevision(running, 2);
      expect(applied.lastError).toBeUndefined();
      await untilState(running, 'b', 'connected');
      expect(await pidOf(running, 'a')).toBe(pid);
      expect(running.logs.find(({ event }) => event === 'config.applied')).toMatchObject({
        revision: 2,
        started: 1,
        stopped: 0,
        swapped: 0,
        retagged: 0,
        unchanged: 1,
      });
    },
  );

  it('that is bad and then as it was before is no error any longer', async () => {
    const running = await startGateway({ a: good() });
    const before = readFileSync(fileOf(running));
    const pid = await pidOf(running, 'a');
    writeFileSync(fileOf(running), '{ "mcpServers"');
    expect((await untilRejected(running)).issues[0]).toMatch(/^mcp\.json:1:\d+: expected ":"/);
    writeFileSync(fileOf(running), before);
    await until('the error is gone', async () => (await configuration(running)).lastError === undefined);
    expect(await pidOf(running, 'a')).toBe(pid);
  });

  it(verifies('config-unchanged', 'that adds, removes, changes and tags touches just those'), async () => {
    const running = await startGateway({ stays: good(), goes: good(), changes: good(), tagged: good({ tags: ['old'] }) });
    const [stays, goes, changes, tagged] = await Promise.all(['stays', 'goes', 'changes', 'tagged'].map((name) => pidOf(running, name)));
    save(running, {
      comes: good(),
      tagged: good({ tags: ['new'], critical: true }),
      changes: fixture('good', { LEVEL: 'other' }),
      stays: good(),
    });
    await untilRevision(running, 2);
    await untilState(running, 'comes', 'connected');
    await until('the changed one was replaced', async () => {
      const entry = await entryOf(running, 'changes');
      return entry?.status === 'connected' && entry.pid !== changes;
    });
    await until('the removed one has ended', () => !isAlive(goes as number));
    expect(await pidOf(running, 'stays')).toBe(stays);
    expect(await entryOf(running, 'tagged')).toMatchObject({ pid: tagged, tags: ['new'], critical: true });
    expect(await entryOf(running, 'goes')).toBeUndefined();
    expect((await running.health()).body.servers.details.map(({ name }) => name)).toEqual(['comes', 'tagged', 'changes', 'stays']);
    expect(await toolsOf(running)).toEqual(['comes', 'tagged', 'changes', 'stays']);
  });

  it('tells clients of what came and went', async () => {
    const running = await startGateway({ a: good() });
    await untilState(running, 'a', 'connected');
    const client = await connect(running.url);
    const messages = await client.listen();
    save(running, { a: good(), b: good() });
    await until('tools/list_changed arrives', () => messages.some(({ method }) => method === 'notifications/tools/list_changed'));
    expect(await toolsOf(running)).toEqual(['a', 'b']);
  });

  it('names what only a restart applies, once, and flags of the command line go on winning', async () => {
    const running = await startGateway({ a: good() });
    await untilState(running, 'a', 'connected');
    save(running, { a: good() }, { port: 1, callWait: '1s' });
    await untilRevision(running, 2);
    const told = () => running.logs.filter(({ event }) => event === 'config.needs_restart').map(({ message }) => message);
    // --port 0 was given.
    expect(told()).toEqual(['only a restart of the gateway applies gateway.callWait; until then the old value is in force']);
    save(running, { a: good({ tags: ['t'] }) }, { port: 1, callWait: '1s' });
    await untilRevision(running, 3);
    expect(told()).toHaveLength(1);
  });
});

describe('a way to save', () => {
  it(verifies('config-swaps', 'SIGHUP reads the file at once, although its text is the same'), async () => {
    const running = await startGateway({ a: good() });
    await untilState(running, 'a', 'connected');
    running.child.kill('SIGHUP');
    await until('the reload is over', () => running.logs.some(({ event }) => event === 'config.unchanged'));
    expect((await configuration(running)).revision).toBe(1);
    writeFileSync(fileOf(running), 'no JSON');
    running.child.kill('SIGHUP');
    expect((await untilRejected(running)).issues[0]).toMatch(/^mcp\.json:1:1: /);
    save(running, { a: good(), b: good() });
    running.child.kill('SIGHUP');
    await untilState(running, 'b', 'connected');
    expect(running.child.exitCode).toBeNull();
  });

  it(verifies('config-swaps', 'onemcp reload does so too, and says what came of it'), async () => {
    const waits = { reload: { quiet: '1h', max: '1h' } };
    const running = await startGateway({ a: good() }, waits);
    await untilState(running, 'a', 'connected');
    const reload = () => {
      const env = { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(running.folder, 'state') };
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'reload'], { cwd: running.folder, env, encoding: 'utf8' });
      return { status, stdout, lines: stderr.trimEnd().split('\n') };
    };
    writeFileSync(fileOf(running), '{ "mcpServers": {\n"a": 1 } }');
    expect(reload()).toEqual({
      status: 1,
      stdout: '',
      lines: ['mcp.json:2:6 mcpServers.a: expected an object, found 1', 'onemcp: the configuration has an error; nothing was changed'],
    });
    save(running, { a: good(), b: good() }, waits);
    expect(reload()).toEqual({ status: 0, stdout: 'reloaded: starts b (1 unchanged)\n', lines: [''] });
    await untilState(running, 'b', 'connected');
  });

  it(verifies('config-swaps', 'renames over the file, deletions and swapped links are all seen'), async () => {
    const running = await startGateway({ a: good() });
    const { folder } = running;
    await untilState(running, 'a', 'connected');
    const written = (name: string, count: number) => {
      mkdirSync(join(folder, name), { recursive: true });
      const names = Array.from({ length: count }, (_, index) => [`s${index}`, good()]);
      writeFileSync(join(folder, name, 'mcp.json'), JSON.stringify({ mcpServers: Object.fromEntries(names) }));
      return join(folder, name);
    };
    renameSync(join(written('tmp', 1), 'mcp.json'), fileOf(running));
    await untilState(running, 's0', 'connected');

    rmSync(fileOf(running));
    renameSync(join(written('tmp', 2), 'mcp.json'), fileOf(running));
    await untilState(running, 's1', 'connected');

    // As Kubernetes mounts a ConfigMap.
    const point = (at: string) => {
      symlinkSync(at, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    written('..v1', 3);
    point('..v1');
    symlinkSync('..data/mcp.json', join(folder, 'link'));
    renameSync(join(folder, 'link'), fileOf(running));
    await untilState(running, 's2', 'connected');
    written('..v2', 4);
    point('..v2');
    rmSync(join(folder, '..v1'), { recursive: true });
    await untilState(running, 's3', 'connected');
    expect((await configuration(running)).lastError).toBeUndefined();
  });

  it('a text that is cut before it is written anew is not called bad', async () => {
    const running = await startGateway({ a: good() });
    await untilState(running, 'a', 'connected');
    writeFileSync(fileOf(running), '');
    // As long as the silence that is waited for; then it is looked at once more.
    await sleep(250);
    save(running, { a: good(), b: good() });
    await untilState(running, 'b', 'connected');
    expect(running.logs.filter(({ event }) => event === 'config.rejected')).toEqual([]);
  });

  it(verifies('config-storm', 'forty edits in two seconds are applied once or twice, and the last one counts'), async () => {
    const running = await startGateway({ a: good() });
    const pid = await pidOf(running, 'a');
    for (let count = 1; count <= 40; count++) {
      save(running, { a: good({ tags: [`t${count}`] }) });
      await sleep(50);
    }
    await until('the last edit is in force', async () => ((await entryOf(running, 'a'))?.tags as string[] | undefined)?.[0] === 't40');
    const { revision } = await configuration(running);
    expect(revision).toBeGreaterThanOrEqual(2);
    expect(revision).toBeLessThanOrEqual(3);
    expect(await pidOf(running, 'a')).toBe(pid);
  });

  it('a secret that is new is never printed', async () => {
    const running = await startGateway({ a: good() });
    await untilState(running, 'a', 'connected');
    save(running, { a: good(), leaks: fixture('leaks-secret', { CHAOS_SECRET: 'brand-new-value-4711' }) });
    await untilState(running, 'leaks', 'connected');
    await until('the server has said something', () =>
      running.logs.some(({ event, backend }) => event === 'backend.stderr' && backend === 'leaks'),
    );
    expect(JSON.stringify(running.logs)).not.toContain('brand-new-value-4711');
    expect(JSON.stringify(running.logs)).toContain('***');
  });
});

/** A terminal that is closed after the gateway has been told to reload. Prints what the gateway ended with. */
const TERMINAL = `
import os, pty, signal, sys, time
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
def until(text):
    seen = b''
    while text not in seen: seen += os.read(fd, 65536)
until(b'connected in')
os.kill(pid, signal.SIGHUP)
until(b'config.unchanged')
os.close(fd)
print(os.waitpid(pid, 0)[1])
`;

it.skipIf(spawnSync('python3', ['--version']).status !== 0)('ends with its terminal, whose end is a SIGHUP as well', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-pty-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const pidFile = join(folder, 'pid');
  const script = `require('fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); import(${JSON.stringify(GOOD)})`;
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { a: { command: [process.execPath, '-e', script] } } }));
  const args = [process.execPath, MAIN, 'run', 'mcp.json', '--port', '0', '--log-format', 'json', '--log-level', 'debug', '--no-control'];
  const ended = spawn('python3', ['-c', TERMINAL, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  // By the signal itself, as every program does.
  expect(await text(ended.stdout)).toBe('1\n');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await until('the server has ended as well', () => !isAlive(pid));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
