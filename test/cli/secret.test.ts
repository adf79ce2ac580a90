import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { configSource } from '../../src/cli/config.ts';
import type { ProcessPorts } from '../../src/cli/process.ts';
import { listSecrets, removeSecret, setSecret } from '../../src/cli/secret.ts';
import { MAIN, until } from '../e2e/gateway.ts';
import { createTerminal } from '../support/terminal.ts';
import { verifies } from '../support/verifies.ts';

const VALUE = 'the-value-of-the-secret';

/** A terminal with a store of its own, at which a value can be typed. */
function terminal({ isTTY = false, config = '', stateDir }: { isTTY?: boolean; config?: string; stateDir?: string } = {}) {
  const raw: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: (on: boolean) => raw.push(on) });
  const { ports: bare, cwd, write, said } = createTerminal({}, { stdin, platform: process.platform });
  const env = { ONEMCP_STATE_DIR: stateDir ?? join(cwd, 'state'), ONEMCP_SECRET_KEY_FILE: join(cwd, 'secret.key') };
  const ports = { ...bare, env };
  if (config !== '') write('mcp.json', config);
  const place = { file: './mcp.json', ports };
  return {
    cwd,
    ports,
    place,
    stdin,
    raw,
    set: (name: string, value: string) => {
      stdin.end(value);
      return setSecret(name, place);
    },
    said,
  };
}

/** What a configuration reads as this secret. */
async function read({ ports, cwd }: ReturnType<typeof terminal>, reference: string): Promise<string> {
  writeFileSync(join(cwd, 'read.json'), JSON.stringify({ mcpServers: { a: { command: `\${SECRET:${reference}}` } } }));
  const loaded = await configSource('read.json', {}, ports).load();
  if (!loaded.ok) return loaded.issues.map(({ message }) => message).join();
  const [backend] = loaded.config.backends;
  return backend?.kind === 'stdio' && typeof backend.command !== 'string' ? backend.command.reveal() : 'not a secret';
}

describe('onemcp secret', () => {
  it(verifies('secrets-encrypted', 'stores what stdin says, and a configuration can use it; nothing prints the value'), async () => {
    const it = terminal();
    expect(await it.set('db/pass', `${VALUE}\n`)).toBe(0);
    const stored = it.said();
    expect(stored.err).toBe('');
    expect(stored.out).toBe(
      `stored db/pass in ${join(it.cwd, 'state/secrets/store.json')}; its key is in ${join(it.cwd, 'secret.key')}. Write \${SECRET:db/pass} to use it.\n`,
    );
    expect(await read(it, 'db/pass')).toBe(VALUE);
    expect(await read(it, 'store:db/pass')).toBe(VALUE);
    expect(await listSecrets(it.place, {})).toBe(0);
    expect(it.said().out).toMatch(/^NAME {5}SET\ndb\/pass {2}\d{4}-\d\d-\d\dT[\d:.]+Z\n$/);
    await listSecrets(it.place, { json: true });
    expect(JSON.parse(it.said().out)).toEqual([{ name: 'db/pass', set: expect.any(String) }]);
    expect(await removeSecret('db/pass', it.place)).toBe(0);
    expect(await read(it, 'db/pass')).toContain('run "onemcp secret set db/pass"');
    expect(await removeSecret('db/pass', it.place)).toBe(1);
    expect(it.said().err).toContain('there is no secret "db/pass"');
    await listSecrets(it.place, {});
    expect(it.said().out).toMatch(/^no secrets in /);
  });

  it('asks at a terminal without showing what is typed', async () => {
    const it = terminal({ isTTY: true });
    const asking = setSecret('api-key', it.place);
    await until('it asks', () => it.raw.length > 0);
    it.stdin.write('wrong');
    it.stdin.write('\u0015');
    for (const key of `${VALUE}xy`) it.stdin.write(key);
    it.stdin.write('\u007f\u007f\r');
    expect(await asking).toBe(0);
    const { out, err } = it.said();
    expect(err).toBe('Value of api-key (it is not shown): \n');
    expect(out).not.toContain(VALUE);
    expect(it.raw).toEqual([true, false]);
    expect(await read(it, 'api-key')).toBe(VALUE);
  });

  it('stores nothing for somebody who gives up', async () => {
    const it = terminal({ isTTY: true });
    const asking = setSecret('api-key', it.place);
    await until('it asks', () => it.raw.length > 0);
    it.stdin.write('abc\u0003');
    expect(await asking).toBe(1);
    expect(it.said().err).toContain('nothing was stored');
    expect(it.raw).toEqual([true, false]);
    expect(existsSync(join(it.cwd, 'state'))).toBe(false);
  });

  it.each([
    ['a name that no configuration can say', 'a b', VALUE, 2, 'the name of a secret has only letters'],
    ['a name that climbs', '../x', VALUE, 2, 'single dots'],
    ['a name of another provider', 'vault:x', VALUE, 2, 'only letters'],
    ['no value', 'x', '\n', 1, 'the value is empty'],
    ['a value that is too large', 'x', 'y'.repeat(70_000), 1, 'the value is too large'],
  ])('%s', async (_, name, value, code, message) => {
    const it = terminal();
    expect(await it.set(name, value)).toBe(code);
    const { err } = it.said();
    expect(err).toContain(message);
    expect(err).not.toContain(VALUE);
  });

  it('bytes that are no text are refused', async () => {
    const it = terminal();
    it.stdin.end(Buffer.from([0xff, 0xfe, 0x41]));
    expect(await setSecret('x', it.place)).toBe(1);
    expect(it.said().err).toContain('the value is not UTF-8 text');
  });

  it('needs a state folder, which the configuration may name or refuse', async () => {
    const none = terminal({ config: '{ "mcpServers": {}, "gateway": { "stateDir": false } }', stateDir: '' });
    expect(await none.set('x', VALUE)).toBe(1);
    expect(none.said().err).toContain('gateway.stateDir is false');
    const own = terminal({ config: '{ "mcpServers": { "broken": 1 }, "gateway": { "stateDir": "mine" } }', stateDir: '' });
    expect(await own.set('x', VALUE)).toBe(0);
    expect(existsSync(join(own.cwd, 'mine/secrets/store.json'))).toBe(true);
  });

  it('a value as an argument is not taken, nor repeated', async () => {
    const it = terminal();
    it.stdin.end('x');
    expect(await setSecret('x', { ...it.place, file: VALUE })).toBe(1);
    const { out, err } = it.said();
    expect(err).toContain('a value is never an argument');
    expect(out + err).not.toContain(VALUE);
    expect(existsSync(join(it.cwd, 'state'))).toBe(false);
  });

  it('a store that was tampered with is told of, and not written over', async () => {
    const it = terminal();
    await it.set('x', VALUE);
    it.said();
    const file = join(it.cwd, 'state/secrets/store.json');
    writeFileSync(file, 'broken');
    const again = { ...it.ports, stdin: Object.assign(new PassThrough().end(VALUE), {}) as ProcessPorts['stdin'] };
    expect(await setSecret('y', { file: './mcp.json', ports: again })).toBe(1);
    expect(it.said().err).toContain('it is no store of secrets of onemcp, or it was damaged');
    expect(readFileSync(file, 'utf8')).toBe('broken');
  });
});

it('the program itself: secret set, check, list, rm', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'onemcp-secret-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  writeFileSync(join(cwd, 'mcp.json'), '{ "mcpServers": { "a": { "command": "x", "env": { "TOKEN": "${SECRET:token}" } } } }');
  const env = { PATH: process.env.PATH, HOME: cwd };
  const onemcp = (args: readonly string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd, encoding: 'utf8', env, input });
    expect(stdout + stderr).not.toContain(VALUE);
    return { status, stdout, stderr };
  };
  expect(onemcp(['check'])).toMatchObject({ status: 2, stderr: expect.stringContaining('run "onemcp secret set token"') });
  expect(onemcp(['secret', 'set', 'token'], VALUE)).toMatchObject({ status: 0, stderr: '' });
  expect(onemcp(['secret', 'set', 'token', VALUE, 'one too many'])).toMatchObject({ status: 2 });
  expect(onemcp(['check'])).toMatchObject({ status: 0, stderr: '' });
  expect(onemcp(['secret', 'list'])).toMatchObject({ status: 0, stdout: expect.stringContaining('token') });
  expect(onemcp(['secret', 'rm', 'token'])).toMatchObject({ status: 0, stdout: 'removed token\n' });
  expect(onemcp(['check']).status).toBe(2);
});
