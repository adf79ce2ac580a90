import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '../../../src/io/secrets/encrypted.ts';
import { createEnvProvider } from '../../../src/io/secrets/env.ts';
import { createExecProvider } from '../../../src/io/secrets/exec.ts';
import { createFileProvider } from '../../../src/io/secrets/file.ts';
import { createStoreProvider, storeFileOf } from '../../../src/io/secrets/store.ts';
import { createVaultProvider } from '../../../src/io/secrets/vault.ts';
import { isAlive, until } from '../../e2e/gateway.ts';
import { startVault } from '../../fixtures/http/vault.ts';
import { contract } from './contract.ts';
import { temporary } from './kit.ts';

const { signal } = new AbortController();

contract('env', () => {
  let env: Record<string, string> = {};
  return {
    provider: (maxBytes) => createEnvProvider({ env, maxBytes }),
    put(name, value) {
      env[name] = value;
    },
    ruin: () => {
      env = new Proxy(env, {
        getOwnPropertyDescriptor: () => {
          throw new Error('there is no environment');
        },
      });
    },
    lineEnd: 'part',
    changes: false,
  };
});

contract('file', () => {
  const folder = temporary();
  return {
    provider: (maxBytes) => createFileProvider({ folders: [join(folder, 'missing'), folder], maxBytes, poll: 0 }),
    put: (name, value) => writeFileSync(join(folder, name), value),
    // Root may read everything, so a mode would not do.
    ruin: () => writeFileSync(join(folder, 'api-key'), new Uint8Array([0xff, 0xfe, 0xfd])),
    lineEnd: 'none',
    changes: true,
  };
});

contract('store', () => {
  const folder = temporary();
  const env = { ONEMCP_SECRET_KEY_FILE: join(folder, 'secret.key') };
  const file = storeFileOf(folder);
  return {
    provider: (maxBytes) => createStoreProvider({ folder, env, platform: process.platform, maxBytes, poll: 0 }),
    put: async (name, value) => void (await openStore({ file, env, platform: process.platform }).set(name, value, signal)),
    ruin: () => writeFileSync(env.ONEMCP_SECRET_KEY_FILE, '0'.repeat(64)),
    lineEnd: 'part',
    changes: true,
  };
});

/** Prints the file of this name, as `cat` would, but nothing of one that is not there. */
const MANAGER = `cd "$FOLDER" || exit 3
[ -e hang ] && exec sleep 60
[ -e ruin ] && { cat "$1" >&2; exit 7; }
[ ! -e "$1" ] || cat "$1"
`;

contract('exec', () => {
  const folder = temporary();
  const script = join(folder, '.manager.sh');
  writeFileSync(script, MANAGER);
  const options = { command: ['/bin/sh', script, '{name}'], env: { FOLDER: folder }, cwd: folder, inherited: process.env };
  return {
    provider: (maxBytes) => createExecProvider({ ...options, maxBytes }),
    put: (name, value) => writeFileSync(join(folder, name), value),
    ruin: () => writeFileSync(join(folder, 'ruin'), ''),
    hang: () => writeFileSync(join(folder, 'hang'), ''),
    lineEnd: 'none',
    changes: true,
  };
});

contract('vault', async () => {
  const vault = await startVault();
  const env = { VAULT_TOKEN: vault.rootToken };
  const options = { ...vault.settings, env, tokens: new Map() };
  return {
    provider: (maxBytes) => createVaultProvider({ ...options, maxBytes }),
    put: (name, value) => vault.put(name, { value }),
    ruin: () => vault.be('broken'),
    hang: () => vault.be('silent'),
    lineEnd: 'part',
    changes: true,
  };
});

it('a file provider never leaves its folder, and reads no pipes', async () => {
  const folder = temporary();
  writeFileSync(join(folder, 'outside'), 'not yours');
  const inner = join(folder, 'inner');
  mkdirSync(inner);
  const provider = createFileProvider({ folders: [inner], maxBytes: 100, poll: 0 });
  for (const name of ['../outside', join(folder, 'outside'), '.', '']) expect(await provider.read(name, signal)).toBeUndefined();
  execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', join(inner, 'pipe')]);
  await expect(provider.read('pipe', signal)).rejects.toThrow('it is not a regular file');
});

it('a program gets a minimal environment and its name as one argument; nothing is a shell', async () => {
  const folder = temporary();
  const script = join(folder, 'print.sh');
  writeFileSync(script, 'printf "%s|" "$#" "$@"; env');
  const inherited = { ...process.env, VAULT_TOKEN: 'not-for-it', HOME: '/home/me' };
  const provider = createExecProvider({
    command: ['/bin/sh', script, 'get', '{name}', 'x{name}'],
    env: { OWN: 'own' },
    cwd: folder,
    inherited,
    maxBytes: 10_000,
  });
  const said = await provider.read('a/b.c', signal);
  expect(said).toMatch(/^3\|get\|a\/b\.c\|x\{name\}\|/);
  expect(said).toContain('OWN=own');
  expect(said).toContain('HOME=/home/me');
  expect(said).not.toContain('not-for-it');
  await expect(provider.read('-rf', signal)).rejects.toThrow('could be an option');
});

it('a program that is not there, that fails or that is killed is told of without what it said', async () => {
  const folder = temporary();
  const providerOf = (...command: string[]) => createExecProvider({ command, env: {}, cwd: folder, inherited: process.env, maxBytes: 100 });
  await expect(providerOf('no-such-program', '{name}').read('x', signal)).rejects.toThrow('the program no-such-program was not found');
  await expect(providerOf('/bin/sh', '-c', 'echo the-value; echo the-value >&2; exit 3', '{name}').read('x', signal)).rejects.toThrow(
    /^\/bin\/sh ended with code 3; run it yourself to see why$/,
  );
  await expect(providerOf('/bin/sh', '-c', 'kill -9 $$', '{name}').read('x', signal)).rejects.toThrow('was ended by a signal');
});

it('what a program leaves behind does not hold it up, and is ended with one that is aborted', async () => {
  const folder = temporary();
  const providerOf = (line: string) =>
    createExecProvider({ command: ['/bin/sh', '-c', line, '{name}'], env: {}, cwd: folder, inherited: process.env, maxBytes: 100 });
  expect(await providerOf('sleep 5 & echo value').read('x', signal)).toBe('value');
  const pidFile = join(folder, 'pid');
  const aborter = new AbortController();
  const reading = providerOf(`sleep 60 & echo $! > ${pidFile}; wait`).read('x', aborter.signal);
  const failed = expect(reading).rejects.toThrow('it took too long');
  await until('its child runs', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').trim() !== '');
  aborter.abort();
  await failed;
  await until('its child has ended', () => !isAlive(Number(readFileSync(pidFile, 'utf8'))));
});
