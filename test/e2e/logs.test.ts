/** The log of the real program in a file, and what its servers write to stderr. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, MAIN, until } from './gateway.ts';

const SECRET = 'a-secret-that-nobody-sees';
const TALKER =
  "let n=0;console.error('hello',process.env.KEY);process.stdin.resume().on('end',()=>process.exit());setInterval(()=>console.error('tick',++n),50)";

function start(args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-l-'));
  const env = { ...process.env, ONEMCP_STATE_DIR: join(folder, 'state'), ONEMCP_SECRETS: folder };
  writeFileSync(join(folder, 'key'), SECRET, { mode: 0o600 });
  const mcpServers = {
    good: fixture('good'),
    talker: { command: 'node', args: ['-e', TALKER], env: { KEY: '${SECRET:key}' }, startTimeout: '60s' },
  };
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers, gateway: { callWait: '200ms' } }));
  const child = spawn(process.execPath, [MAIN, 'run', 'mcp.json', '--port', '0', ...args], { cwd: folder, env });
  let output = '';
  child.stderr.on('data', (chunk) => (output += chunk));
  onTestFinished(async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  const onemcp = (words: readonly string[]) => {
    const command = spawn(process.execPath, [MAIN, ...words], { cwd: folder, env });
    let [out, err] = ['', ''];
    command.stdout.on('data', (chunk) => (out += chunk));
    command.stderr.on('data', (chunk) => (err += chunk));
    const ended = once(command, 'close').then(([code]) => ({ code: code as number, out, err }));
    return { command, ended, shown: () => out };
  };
  return { folder, child, onemcp, shown: () => output };
}

const linesIn = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it(verifies('log-file', 'is whole across a rotation and SIGHUP, has the levels that were asked for, and no secret'), async () => {
  const { folder, child, shown } = start(['--log-file', 'logs/gateway.log', '--log-levels', 'backend=debug,request=debug']);
  const path = join(folder, 'logs/gateway.log');
  const url = await until('the address', () => /http:\S+(?=\/mcp)/.exec(shown())?.[0]);
  const client = await connect(url);
  await client.request('tools/call', { name: 'nobody__knows', arguments: { token: SECRET } });
  const EARLY = ['gateway.listening', 'backend.connected', 'backend.stderr', 'request.failed'];
  await until('the first events', () => EARLY.every((wanted) => linesIn(path).some(({ event }) => event === wanted)));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const failed = linesIn(path).find(({ event }) => event === 'request.failed');
  expect(failed).toMatchObject({ level: 'debug', session: expect.stringMatching(/^client-\d+$/), method: 'tools/call' });
  expect(failed?.request).toMatch(/^\S+$/);

  renameSync(path, `${path}.moved`);
  child.kill('SIGHUP');
  await until('a new file', () => statSync(path, { throwIfNoEntry: false }) !== undefined);
  child.kill();
  await once(child, 'exit');
  const [before, after] = [linesIn(`${path}.moved`), linesIn(path)];
  expect(before.map(({ event }) => event)).toEqual(expect.arrayContaining(EARLY));
  expect(after.at(-1)).toMatchObject({ event: 'gateway.stopped' });
  const all = readFileSync(`${path}.moved`, 'utf8') + readFileSync(path, 'utf8') + shown();
  expect(all).toContain('hello ***');
  expect(all).not.toContain(SECRET);
});

it('a wrong tag is said before anything starts', async () => {
  const { child, shown } = start(['--log-levels', 'bakend=debug']);
  const [code] = await once(child, 'close');
  expect([code, shown()]).toEqual([
    2,
    expect.stringContaining('levels of the log (--log-levels, ONEMCP_LOG_LEVELS): there is no tag "bakend"; there are alert, backend'),
  ]);
});

it(verifies('logs', 'onemcp logs shows what servers wrote, all of it and without secrets, and goes on with what they write'), async () => {
  const { child, onemcp, shown } = start([]);
  await until('the address', () => shown().includes('/mcp'));
  await until('the first lines', async () => (await onemcp(['logs', 'talker']).ended).out.includes('tick 3'));

  // The log itself stops at 20 lines; this does not.
  const following = onemcp(['logs', '--follow', '--json', '--lines', '0']);
  await until('the newest lines', () => following.shown().includes('tick 30'));
  const followed = following
    .shown()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { server: string; line: string; ts: string });
  const ticks = followed.filter(({ server }) => server === 'talker').map(({ line }) => Number(line.split(' ')[1]));
  expect(ticks).toEqual(ticks.map((_, n) => (ticks[0] as number) + n));
  expect(ticks.length).toBeGreaterThan(5);

  const { code, out } = await onemcp(['logs', '--lines', '1000']).ended;
  expect(code).toBe(0);
  expect(out).toMatch(/^\d\d:\d\d:\d\d talker: hello \*\*\*$/m);
  expect(out).not.toContain(SECRET);
  const wrong = await onemcp(['logs', 'talkr']).ended;
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('did you mean "talker"?')]);

  const interrupted = onemcp(['logs', 'talker', '-f']);
  await until('a line', () => interrupted.shown().includes('tick'));
  interrupted.command.kill('SIGINT');
  expect((await interrupted.ended).code).toBe(0);
  child.kill();
  expect(await following.ended).toMatchObject({ code: 0, err: expect.stringContaining('the gateway has gone') });
});
