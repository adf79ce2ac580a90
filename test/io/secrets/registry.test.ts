import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createSecrets, openSecrets } from '../../../src/io/secrets/index.ts';
import type { SecretProvider } from '../../../src/io/secrets/provider.ts';
import { createTurns } from '../../../src/io/secrets/turns.ts';
import { until } from '../../e2e/gateway.ts';
import { settingsOf, temporary } from './kit.ts';

function folderOf(files: Record<string, string> = {}): string {
  const folder = temporary();
  for (const [name, value] of Object.entries(files)) writeFileSync(join(folder, name), value);
  return folder;
}

const env = { API_KEY: 'from the environment', ONLY_ENV: 'x', 'exact.name': 'y' };
const readerOf = (folder: string) => createSecrets({ env })(settingsOf({ folders: [folder] }));

it('a mounted file wins over the environment; its last line end is not part of it', async () => {
  const { read } = readerOf(folderOf({ 'api-key': 'from a file\n' }));
  expect(await read('api-key')).toBe('from a file');
  expect(await read('env:api-key')).toBe('from the environment');
});

it('a variable is found by its own name, or in the usual spelling', async () => {
  const { read } = readerOf(folderOf());
  expect(await read('only-env')).toBe('x');
  expect(await read('exact.name')).toBe('y');
});

it('never leaves its folder, and says where it looked', async () => {
  const folder = folderOf();
  const outside = join(dirname(folder), 'onemcp-outside');
  writeFileSync(outside, 'not yours');
  onTestFinished(() => rmSync(outside, { force: true }));
  mkdirSync(join(folder, 'a-folder'));
  const { read } = readerOf(folder);
  await expect(read('../onemcp-outside')).rejects.toThrow('secret "../onemcp-outside" was not found');
  await expect(read('a-folder')).rejects.toThrow(`set A_FOLDER, or write it to a file "a-folder" in ${folder}`);
});

it('a provider that does not exist or is not set up is named', async () => {
  const { read } = readerOf(folderOf());
  await expect(read('nowhere:x')).rejects.toThrow('was not found: there is no provider "nowhere"; there are file, store, env');
  await expect(read('vault:x#y')).rejects.toThrow('was not found: the provider "vault" is not set up; add gateway.secrets.vault');
});

it('asks in the order of the settings, and tells of all who were asked', async () => {
  const folder = folderOf({ 'api-key': 'from a file' });
  const settings = settingsOf({ folders: [folder], providers: ['env', 'store', 'file'], stateDir: folder });
  const { read } = createSecrets({ env })(settings);
  expect(await read('api-key')).toBe('from the environment');
  await expect(read('x')).rejects.toThrow(
    `secret "x" was not found; write it to a file "x" in ${folder}, or run "onemcp secret set x", or set X`,
  );
});

it('who cannot tell is not passed over: another one might have an old value', async () => {
  const broken: SecretProvider = { scheme: 'file', read: () => Promise.reject(new Error('the disk is on fire')) };
  const other: SecretProvider = { scheme: 'env', read: async () => 'an old value' };
  const { read } = openSecrets(settingsOf(), () => [broken, other]);
  await expect(read('x')).rejects.toThrow('the provider "file" cannot tell "x": the disk is on fire');
});

it('a provider that takes few at once is asked in turns, and waiting does not count as its time', async () => {
  let [running, most] = [0, 0];
  const slow: SecretProvider = {
    scheme: 'exec',
    atOnce: 2,
    async read(name) {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 100));
      running--;
      return name;
    },
  };
  const { read } = openSecrets(settingsOf({ providers: ['exec'], timeout: 1_000 }), () => [slow]);
  const names = Array.from({ length: 30 }, (_, index) => `n${index}`);
  expect(await Promise.all(names.map((name) => read(name)))).toEqual(names);
  expect(most).toBe(2);
});

it('a turn is given back whatever becomes of it', async () => {
  const turn = createTurns(1);
  await expect(turn(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await Promise.all([turn(async () => 1), turn(async () => 2), turn(async () => 3)])).toEqual([1, 2, 3]);
});

it('a value that appears, changes, goes or is fixed is told; a provider that fails meanwhile has changed nothing', async () => {
  let answer: () => string | undefined = () => 'one';
  const provider: SecretProvider = { scheme: 'vault', polled: true, read: async () => answer() };
  const settings = settingsOf({ providers: ['vault'], poll: 10 });
  let [changes, looks] = [0, 0];
  const secrets = openSecrets(settings, () => {
    looks++;
    return [provider];
  });
  expect(await secrets.read('x')).toBe('one');
  onTestFinished(secrets.watch(() => changes++));
  const next = async (what: () => string | undefined) => {
    answer = what;
    const from = looks;
    await until('it was looked at twice', () => looks > from + 2);
    return changes;
  };
  expect(await next(() => 'one')).toBe(0);
  const down = () => {
    throw new Error('down');
  };
  expect(await next(down)).toBe(0);
  expect(await next(() => 'one')).toBe(0);
  expect(await next(() => 'two')).toBe(1);
  expect(await next(() => undefined)).toBe(2);
  expect(await next(down)).toBe(2);
  expect(await next(() => 'three')).toBe(3);
});

it('a file that comes before the one that was read is seen; so is a swap by a link, as Kubernetes does', async () => {
  const [first, second] = [folderOf(), folderOf()];
  for (const [version, value] of [
    ['v1', 'old'],
    ['v2', 'new'],
  ] as const) {
    mkdirSync(join(second, version));
    writeFileSync(join(second, version, 'key'), value);
  }
  symlinkSync('v1', join(second, '..data'));
  symlinkSync('..data/key', join(second, 'key'));
  const settings = settingsOf({ folders: [first, second] });
  const open = async (expected: string) => {
    const secrets = createSecrets({ env })(settings);
    expect(await secrets.read('key')).toBe(expected);
    let changes = 0;
    onTestFinished(secrets.watch(() => changes++));
    return () => changes > 0;
  };
  const swapped = await open('old');
  symlinkSync('v2', join(second, '..data_tmp'));
  renameSync(join(second, '..data_tmp'), join(second, '..data'));
  await until('the swap is seen', swapped);
  const shadowed = await open('new');
  writeFileSync(join(first, 'key'), 'nearer');
  await until('the nearer file is seen', shadowed);
  await open('nearer');
});

it('a change between the reading and the watching is not missed', async () => {
  const folder = folderOf({ key: 'old' });
  const secrets = readerOf(folder);
  await secrets.read('key');
  writeFileSync(join(folder, 'key'), 'new');
  let changes = 0;
  onTestFinished(secrets.watch(() => changes++));
  await until('it is told', () => changes > 0);
});
