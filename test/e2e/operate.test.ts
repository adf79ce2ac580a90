import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StatusDocument } from '../../src/observe/status.ts';
import type { WhyDocument } from '../../src/observe/why.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, MAIN, type Running, startGateway, textOf, until, untilState } from './gateway.ts';

/** Environment of a gateway in a folder, and of the terminal beside it. */
const envOf = (folder: string) => ({ ...process.env, ONEMCP_STATE_DIR: join(folder, 'state'), XDG_RUNTIME_DIR: '' });

/** Runs a command beside a gateway. */
function onemcp(folder: string, ...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd: folder, env: envOf(folder) }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

const json = async <T>({ folder }: Pick<Running, 'folder'>, ...args: readonly string[]) =>
  JSON.parse((await onemcp(folder, ...args, '--json')).out) as T;

const socketOf = ({ logs }: Running): string =>
  /come in at (\S+)/.exec(String(logs.find(({ event }) => event === 'gateway.control')?.message))?.[1] ?? '';

const started = async (servers: Parameters<typeof startGateway>[0], gateway = {}, args: readonly string[] = []) => {
  const runtime = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = '';
  const running = await startGateway(servers, gateway, args).finally(() => {
    if (runtime === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = runtime;
  });
  if (!args.includes('--no-control')) await until('operators can come in', () => socketOf(running) !== '');
  return running;
};

describe('a running gateway', () => {
  it(verifies('status', 'shows its servers, in a table and as a document'), async () => {
    const running = await started({ good: fixture('good'), sleeper: fixture('good', {}, { lazy: true }) });
    await untilState(running, 'good', 'connected');
    const document = await until('the sleeper is known', async () => {
      const now = await json<StatusDocument>(running, 'status');
      return now.servers[1]?.asleep && now;
    });
    expect(document).toMatchObject({
      pid: running.pid,
      url: running.url,
      phase: 'running',
      servers: [{ name: 'good', status: 'connected' }, { name: 'sleeper' }],
    });
    const { code, out } = await onemcp(running.folder, 'status');
    expect(code).toBe(0);
    expect(out).toMatch(/sleeper .*asleep/);
  });

  it(verifies('status', 'is still found when its file has become unreadable'), async () => {
    const running = await started({ good: fixture('good') });
    writeFileSync(join(running.folder, 'mcp.json'), '{');
    expect((await onemcp(running.folder, 'status')).code).toBe(0);
  });

  it('is watched until a signal', async () => {
    const running = await started({ good: fixture('good') });
    await untilState(running, 'good', 'connected');
    const child = spawn(process.execPath, [MAIN, 'status', '--watch'], { cwd: running.folder, env: envOf(running.folder) });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await until('the table is there', () => out.includes('connected'));
    await onemcp(running.folder, 'stop', 'good');
    await until('the change is there', () => out.includes('good: stopping → stopped'));
    child.kill('SIGINT');
    expect(await exited).toBe(0);
  });

  it(verifies('why', 'tells why a server does not come up, with exit code and last words'), async () => {
    const running = await started({ bad: fixture('crash-on-start', { TOKEN: 'not-shown' }) });
    await untilState(running, 'bad', 'retrying');
    const document = await json<WhyDocument>(running, 'why', 'bad');
    expect(document).toMatchObject({
      lastError: { code: 'backend_exited', exitCode: 1 },
      stderr: ['cannot read settings.json'],
      circuit: 'closed',
      advice: expect.stringContaining('TOKEN=***'),
    });
    expect(document.path.slice(0, 3).map(({ to }) => to)).toEqual(['idle', 'starting', 'error']);
    const { out } = await onemcp(running.folder, 'why', 'bad');
    for (const part of ['exit code 1', 'cannot read settings.json', 'crash-on-start.mjs', 'starting → error']) expect(out).toContain(part);
    expect(out).not.toContain('not-shown');
    expect(await onemcp(running.folder, 'why', 'bat')).toMatchObject({
      code: 1,
      err: 'onemcp: there is no server "bat"; did you mean "bad"?\n',
    });
  });

  it(verifies('why', 'shows the last words of a server that died in a call'), async () => {
    const running = await started({ a: fixture('crash-on-call') }, { restart: { initial: '60s', max: '60s' } });
    await untilState(running, 'a', 'connected');
    const client = await connect(running.url);
    await client.call('a__boom');
    await untilState(running, 'a', 'retrying');
    expect(await json<WhyDocument>(running, 'why', 'a')).toMatchObject({ lastError: { exitCode: 3 }, stderr: ['the disk is full'] });
  });

  it(verifies('operator-commands', 'stops and starts a server'), async () => {
    const running = await started({ a: fixture('good') });
    await untilState(running, 'a', 'connected');
    expect(await onemcp(running.folder, 'stop', 'a')).toMatchObject({ code: 0, out: expect.stringMatching(/^"a" is stopped/) });
    await untilState(running, 'a', 'stopped');
    expect(await onemcp(running.folder, 'start', 'a')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^"a" is connected \(pid \d+/),
    });
    await untilState(running, 'a', 'connected');
  });

  it(verifies('operator-commands', 'restarts a server, and says when the new one does not come up'), async () => {
    const running = await started({ a: fixture('good'), bad: fixture('crash-on-start') });
    const { pid } = await untilState(running, 'a', 'connected');
    const { code, out } = await onemcp(running.folder, 'restart', 'a');
    expect([code, out]).toEqual([0, expect.stringMatching(/^restarted: "a" is connected \(pid \d+/)]);
    const after = await untilState(running, 'a', 'connected');
    expect(after.pid).not.toBe(pid);
    expect(await onemcp(running.folder, 'restart', 'bad')).toMatchObject({ code: 1, err: expect.stringContaining('exited with code 1') });
    expect(await onemcp(running.folder, 'restart', 'bad', '--no-wait')).toMatchObject({ code: 0, out: '"bad" was told to restart\n' });
  });

  it(verifies('operator-commands', 'drains a server and resumes it, by hand and by itself'), async () => {
    const running = await started({ a: fixture('good') });
    await untilState(running, 'a', 'connected');
    const heldNow = async () => (await json<StatusDocument>(running, 'status')).servers[0]?.held;
    expect(await onemcp(running.folder, 'drain', 'a')).toMatchObject({ code: 0, out: 'new requests to "a" wait until: onemcp resume a\n' });
    expect(await heldNow()).toEqual({ since: expect.any(String) });
    expect(await onemcp(running.folder, 'resume', 'a')).toMatchObject({ code: 0, out: 'requests to "a" go on\n' });
    expect(await heldNow()).toBeUndefined();
    expect((await onemcp(running.folder, 'drain', 'a', '--hold', '300ms')).code).toBe(0);
    await until('it goes on by itself', async () => (await heldNow()) === undefined);
    const client = await connect(running.url);
    expect(textOf(await client.call('a__echo', { text: 'hi' }))).toContain('hi');
  });
});

describe('usage', () => {
  it.each([
    [['drain', 'a', '--hold', 'soon'], /--hold/],
    [['why'], /missing required argument 'name'/],
    [['status', '--wait'], /unknown option/],
  ])('%j is an error with code 2', async (args, says) => {
    const { code, err } = await onemcp(tmpdir(), ...args);
    expect([code, err]).toEqual([2, expect.stringMatching(says)]);
  });
});

describe('the control socket', () => {
  it(verifies('control-private', 'of a gateway is 0600 in a folder 0700, and gone after SIGTERM'), async () => {
    const running = await started({ a: fixture('good') });
    const path = socketOf(running);
    const mode = (of: string) => (lstatSync(of).mode & 0o777).toString(8);
    expect([mode(path), mode(dirname(path))]).toEqual(['600', '700']);
    expect(await running.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
    expect(await onemcp(running.folder, 'status')).toMatchObject({ code: 1, err: expect.stringContaining('no gateway runs for') });
  });

  it(verifies('control-private', 'is nowhere on TCP'), async () => {
    const running = await started({ a: fixture('good') });
    for (const path of ['/status', '/why/a', '/reload']) expect((await fetch(`${running.url}${path}`)).status).toBe(404);
    expect((await fetch(`${running.url}/servers/a/stop`, { method: 'POST' })).status).toBe(404);
  });

  it('is not there when it is not wanted', async () => {
    const running = await started({ a: fixture('good') }, {}, ['--no-control']);
    await untilState(running, 'a', 'connected');
    expect((await onemcp(running.folder, 'status')).code).toBe(1);
  });

  it(verifies('control-stale', 'of a gateway that was killed is replaced; a second gateway goes without'), async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onemcp-s-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { a: fixture('good') } }));
    const launch = async (until_: string) => {
      const child = spawn(process.execPath, [MAIN, 'run', '--port', '0', '--log-format', 'json', '--log-level', 'debug'], {
        cwd: folder,
        env: envOf(folder),
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const exited = new Promise((resolve) => child.once('exit', resolve));
      onTestFinished(async () => {
        child.kill('SIGKILL');
        await exited;
      });
      let log = '';
      (child as ChildProcess).stderr?.on('data', (chunk) => {
        log += chunk;
      });
      await until(`it says ${until_}`, () => log.includes(until_));
      return { pid: child.pid, exited, kill: () => child.kill('SIGKILL') };
    };
    const statusPid = async () => (await json<StatusDocument>({ folder }, 'status')).pid;

    const first = await launch('operators come in at');
    first.kill();
    await first.exited;
    const second = await launch('operators come in at');
    expect(await statusPid()).toBe(second.pid);
    await launch('this one runs without a control socket');
    expect(await statusPid()).toBe(second.pid);
  });
});
