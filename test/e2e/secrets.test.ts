/** Secrets of a running gateway: one that changes touches those who use it, and none is seen anywhere. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { startVault } from '../fixtures/http/vault.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, MAIN, processesWith, type Running, startGateway, until, untilState } from './gateway.ts';

/** Where a gateway will run; `startGateway` removes it. */
const newHome = () => mkdtempSync(join(tmpdir(), 'onemcp-secrets-'));

/** Whatever a gateway here and the commands beside it are told, besides the environment of this process. */
function environment(home: string, more: Record<string, string> = {}) {
  const own = { ONEMCP_SECRET_KEY_FILE: join(home, 'secret.key'), XDG_RUNTIME_DIR: '', ...more };
  Object.assign(process.env, own);
  return { ...process.env, ONEMCP_STATE_DIR: join(home, 'state') };
}

/** Runs a command; what it printed. */
async function onemcp(home: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: home, env: environment(home) });
  child.stdin.end(input);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return out + err;
}

const pidOf = async (running: Running, name: string) => (await untilState(running, name, 'connected')).pid as number;

/** Waits until the server is another process, which knows this value. */
const untilReplaced = (running: Running, name: string, { pid, knows }: { pid: number; knows: string }) =>
  until(`${name} was replaced and knows the new value`, async () => {
    const now = await pidOf(running, name);
    return now !== pid && processesWith(`CHAOS_SECRET=${knows}`).includes(now) && now;
  });

const leaks = (secret: string) => fixture('leaks-secret', { CHAOS_SECRET: `\${SECRET:${secret}}` });

describe('a secret that changes', () => {
  it(verifies('secrets-rotate', 'in a file or in the store replaces just the servers that use it'), async () => {
    const home = newHome();
    environment(home);
    mkdirSync(join(home, 'mounted'));
    writeFileSync(join(home, 'mounted/from-file'), 'first-value-of-the-file\n');
    await onemcp(home, ['secret', 'set', 'from-store'], 'first-value-of-the-store');
    const servers = { file: leaks('from-file'), store: leaks('from-store'), other: fixture('good') };
    const running = await startGateway(servers, { secrets: { file: { folders: ['mounted'] } } }, [], home);
    const [file, store, other] = (await Promise.all(Object.keys(servers).map((name) => pidOf(running, name)))) as [number, number, number];

    writeFileSync(join(home, 'mounted/from-file'), 'second-value-of-the-file\n');
    const nextFile = await untilReplaced(running, 'file', { pid: file, knows: 'second-value-of-the-file' });
    expect(await pidOf(running, 'store')).toBe(store);

    const said = await onemcp(home, ['secret', 'set', 'from-store'], 'second-value-of-the-store');
    expect(said).toContain('stored from-store');
    await untilReplaced(running, 'store', { pid: store, knows: 'second-value-of-the-store' });
    expect(await pidOf(running, 'file')).toBe(nextFile);
    expect(await pidOf(running, 'other')).toBe(other);

    // What an old process says may come late: its value stays hidden.
    const logs = JSON.stringify(running.logs);
    for (const value of ['first-value', 'second-value']) expect(logs).not.toContain(value);
    expect(logs).toContain('using token ***');
  });

  it(verifies('secrets-rotate', 'in Vault is found by looking, and a Vault that is down changes nothing'), async () => {
    const [home, vault] = [newHome(), await startVault()];
    environment(home, { VAULT_TOKEN: vault.rootToken });
    vault.put('team/db', { password: 'first-value-of-vault' });
    const secrets = { poll: 200, vault: { address: vault.settings.address } };
    const servers = { uses: leaks('vault:team/db#password'), other: fixture('good') };
    const running = await startGateway(servers, { secrets }, [], home);
    const [uses, other] = [await pidOf(running, 'uses'), await pidOf(running, 'other')];

    vault.be('sealed');
    const asked = vault.requests.length;
    await until('it was looked at twice', () => vault.requests.length > asked + 2);
    expect([await pidOf(running, 'uses'), await pidOf(running, 'other')]).toEqual([uses, other]);
    expect((await running.health()).body.status).toBe('healthy');

    vault.put('team/db', { password: 'second-value-of-vault' });
    vault.be('well');
    await untilReplaced(running, 'uses', { pid: uses, knows: 'second-value-of-vault' });
    expect(await pidOf(running, 'other')).toBe(other);
  });

  it('to one that is missing is refused, and the servers go on', async () => {
    const home = newHome();
    environment(home);
    mkdirSync(join(home, 'mounted'));
    const file = join(home, 'mounted/key');
    writeFileSync(file, 'first-value-of-the-file');
    const running = await startGateway({ a: leaks('key') }, { secrets: { file: { folders: ['mounted'] }, providers: ['file'] } }, [], home);
    const pid = await pidOf(running, 'a');
    writeFileSync(file, '');
    const rejected = await until('it is refused', () => running.logs.find(({ event }) => event === 'config.rejected'));
    expect(String(rejected.message)).toContain('secret key is empty');
    expect(await pidOf(running, 'a')).toBe(pid);
    writeFileSync(file, 'second-value-of-the-file');
    await untilReplaced(running, 'a', { pid, knows: 'second-value-of-the-file' });
  });
});

/** Every text in a folder, with the name of its file. */
function textsIn(folder: string): [file: string, content: string][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => [path, readFileSync(path, 'latin1')]);
}

/** Says its secret while it starts, and dies of it. */
const dies = (secret: string): Json => ({
  command: [process.execPath, '-e', 'console.error("cannot log in with " + process.env.API); process.exit(3)'],
  env: { API: `\${SECRET:${secret}}` },
});

it(verifies('secrets-never-printed', 'whatever goes wrong, no secret of any provider is seen anywhere'), async () => {
  const [home, vault] = [newHome(), await startVault()];
  const values = [
    'plain-of-the-file-1',
    'plain-of-the-store-2',
    'plain-of-the-program-3',
    'plain-of-the-vault-4',
    'plain-of-the-environment-5',
  ];
  const [file, store, program, inVault, variable] = values as [string, string, string, string, string];
  environment(home, { VAULT_TOKEN: vault.rootToken, FROM_ENV: variable });
  mkdirSync(join(home, 'mounted'));
  writeFileSync(join(home, 'mounted/from-file'), file);
  writeFileSync(join(home, 'manager.sh'), `[ -e broken ] && { echo ${program} >&2; echo ${program}; exit 4; }; echo ${program}`);
  vault.put('db', { password: inVault });
  const printed = [await onemcp(home, ['secret', 'set', 'from-store'], store)];

  const secrets = {
    poll: 100,
    file: { folders: ['mounted'] },
    exec: { command: ['/bin/sh', 'manager.sh', '{name}'] },
    vault: { address: vault.settings.address },
  };
  const servers = {
    file: leaks('from-file'),
    store: fixture('leaks-secret', { CHAOS_SECRET: 'Bearer ${SECRET:from-store}' }),
    program: dies('exec:any'),
    vault: dies('vault:db#password'),
    env: fixture('init-error', { CHAOS_SECRET: '${SECRET:from-env}' }),
  };
  const running = await startGateway(servers, { secrets }, [], home);
  delete process.env.FROM_ENV;
  await Promise.all([untilState(running, 'file', 'connected'), untilState(running, 'store', 'connected')]);
  const client = await connect(running.url);
  for (const name of ['file', 'store', 'program', 'vault', 'env']) {
    const answers = [await client.call(`${name}__boom`), await client.request('tools/list')];
    printed.push(JSON.stringify(answers.map(({ message }) => message)));
  }
  await until('all have failed', async () => {
    const { details } = (await running.health()).body.servers;
    return ['program', 'vault', 'env'].every((name) => details.find((entry) => entry.name === name)?.lastError);
  });

  // The providers go down as well, and an operator looks.
  writeFileSync(join(home, 'broken'), '');
  vault.be('broken');
  process.env.FROM_ENV = variable;
  for (const args of [['check'], ['plan'], ['reload'], ['status'], ['status', '--json'], ['secret', 'list']])
    printed.push(await onemcp(home, args));
  for (const name of Object.keys(servers)) printed.push(await onemcp(home, ['why', name, '--json']));
  delete process.env.FROM_ENV;
  expect(printed.join('\n')).toContain('the provider "vault" cannot tell "db#password": Vault failed (500)');
  expect(printed.join('\n')).toContain('the provider "exec" cannot tell "any": /bin/sh ended with code 4');
  printed.push(JSON.stringify((await running.health()).body));
  await running.stop();
  printed.push(JSON.stringify(running.logs));
  expect(printed.join('\n')).toContain('cannot log in with ***');

  const kept = textsIn(join(home, 'state'));
  expect(kept.map(([path]) => path)).toContain(join(home, 'state/secrets/store.json'));
  for (const value of [...values, vault.rootToken, readFileSync(join(home, 'secret.key'), 'utf8').trim()]) {
    for (const form of [value, Buffer.from(value).toString('base64').replace(/=+$/, ''), encodeURIComponent(value)]) {
      expect(printed.filter((said) => said.includes(form))).toEqual([]);
      expect(kept.filter(([, content]) => content.includes(form)).map(([path]) => path)).toEqual([]);
    }
  }
});
