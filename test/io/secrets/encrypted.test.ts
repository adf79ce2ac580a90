import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, type StoreOptions } from '../../../src/io/secrets/encrypted.ts';
import { findKeyring, type Keyring } from '../../../src/io/secrets/keyring.ts';
import type { ProgramRun } from '../../../src/io/secrets/program.ts';
import { verifies } from '../../support/verifies.ts';
import { temporary } from './kit.ts';

const { signal } = new AbortController();
const VALUE = 'the-value-of-the-secret';
const mode = (file: string) => statSync(file).mode & 0o777;

function desk(more: Partial<StoreOptions> = {}) {
  const folder = temporary();
  const env = { HOME: folder };
  const file = join(folder, 'state', 'secrets', 'store.json');
  const options: StoreOptions = { file, env, platform: 'linux', keyring: async () => undefined, ...more };
  const store = openStore(options);
  return {
    folder,
    file,
    store,
    keyFile: join(folder, '.config/onemcp/secret.key'),
    read: async (name: string, other: Partial<StoreOptions> = {}) => (await openStore({ ...options, ...other }).reader())(name, signal),
  };
}

describe('the encrypted store', () => {
  it(verifies('secrets-encrypted', 'gives back what was put, and holds nothing of it in the clear'), async () => {
    const { store, file, keyFile, read } = desk({ now: () => new Date('2026-01-02T03:04:05Z') });
    expect(await read('api-key')).toBeUndefined();
    expect(await store.set('api-key', VALUE, signal)).toBe(keyFile);
    await store.set('__proto__', 'another value', signal);
    expect(await read('api-key')).toBe(VALUE);
    expect(await read('__proto__')).toBe('another value');
    expect(await read('constructor')).toBeUndefined();
    expect(await store.list()).toEqual([
      { name: '__proto__', set: '2026-01-02T03:04:05.000Z' },
      { name: 'api-key', set: '2026-01-02T03:04:05.000Z' },
    ]);
    const text = readFileSync(file, 'utf8');
    for (const form of [VALUE, Buffer.from(VALUE).toString('base64').slice(0, 12), Buffer.from(VALUE).toString('hex')])
      expect(text).not.toContain(form);
    expect(text).not.toContain(readFileSync(keyFile, 'utf8').trim());
    expect([mode(file), mode(dirname(file)), mode(keyFile), mode(dirname(keyFile))]).toEqual([0o600, 0o700, 0o600, 0o700]);
    expect(readdirSync(dirname(file))).toEqual(['store.json']);
  });

  it('encrypts the same value differently each time, replaces and removes', async () => {
    const { store, file, read } = desk();
    await store.set('a', VALUE, signal);
    const before = readFileSync(file, 'utf8');
    await store.set('a', VALUE, signal);
    expect(readFileSync(file, 'utf8')).not.toBe(before);
    await store.set('a', 'other', signal);
    expect(await read('a')).toBe('other');
    expect(await store.remove('a')).toBe(true);
    expect(await store.remove('a')).toBe(false);
    expect(await read('a')).toBeUndefined();
  });

  it('loses nothing when many change it at once', async () => {
    const { store, read } = desk();
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
    await Promise.all(names.map((name) => store.set(name, `value of ${name}`, signal)));
    expect(await Promise.all(names.map((name) => read(name)))).toEqual(names.map((name) => `value of ${name}`));
  });

  it('takes over the lock of somebody who died', async () => {
    const { store, file, read } = desk();
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.lock`, '');
    utimesSync(`${file}.lock`, new Date(0), new Date(0));
    await store.set('a', VALUE, signal);
    expect(await read('a')).toBe(VALUE);
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it(verifies('secrets-encrypted', 'notices whatever was changed'), async () => {
    const { store, file, read } = desk();
    await store.set('low', 'worthless', signal);
    await store.set('high', VALUE, signal);
    type Text = { version: number; key: string; secrets: Record<string, Record<string, string>> };
    const good = readFileSync(file, 'utf8');
    const edited = (edit: (store: Text) => void) => {
      const parsed = JSON.parse(good) as Text;
      edit(parsed);
      writeFileSync(file, JSON.stringify(parsed));
    };
    const tampered = /^it was changed by something else than onemcp; set it anew$/;
    for (const part of ['text', 'tag', 'nonce']) {
      edited(({ secrets }) => {
        const bytes = Buffer.from(secrets.high?.[part] as string, 'base64');
        bytes[0] = (bytes[0] as number) ^ 1;
        (secrets.high as Record<string, string>)[part] = bytes.toString('base64');
      });
      await expect(read('high')).rejects.toThrow(tampered);
      expect(await read('low')).toBe('worthless');
    }
    edited(({ secrets }) => Object.assign(secrets, { low: secrets.high }));
    await expect(read('low')).rejects.toThrow(tampered);
    edited(({ secrets }) => Object.assign(secrets.high as object, { set: '2030-01-01T00:00:00.000Z' }));
    await expect(read('high')).rejects.toThrow(tampered);
    edited(({ secrets }) => Object.assign(secrets.high as object, { tag: 'AAAA' }));
    await expect(read('high')).rejects.toThrow(tampered);
    edited((parsed) => Object.assign(parsed, { version: 2 }));
    await expect(read('high')).rejects.toThrow('it is of a later version of onemcp');
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"format":"onemcp-secrets","version":1,"cipher":"aes-256-gcm","key":"x","secrets":{"high":{}}}',
    ]) {
      writeFileSync(file, text);
      await expect(read('high')).rejects.toThrow(`the store ${file} cannot be used: `);
    }
  });
});

describe('its key', () => {
  it('is refused when others can read it, when it is another one, and when it is none', async () => {
    const { store, read, keyFile } = desk();
    await store.set('a', VALUE, signal);
    const key = readFileSync(keyFile, 'utf8');
    for (const open of [0o644, 0o640, 0o620, 0o604]) {
      chmodSync(keyFile, open);
      await expect(read('a')).rejects.toThrow(`the key file ${keyFile} can be read or written by others`);
    }
    chmodSync(keyFile, 0o600);
    writeFileSync(keyFile, '0'.repeat(64));
    await expect(read('a')).rejects.toThrow(`the key in ${keyFile} is not the one of the store`);
    await expect(store.set('b', VALUE, signal)).rejects.toThrow('is not the one of the store');
    writeFileSync(keyFile, `${key.trim()}00`);
    const odd = await read('a').catch(({ message }: Error) => message);
    expect(odd).toBe(`what is in ${keyFile} is no key: expected 64 hexadecimal digits`);
    writeFileSync(keyFile, key);
    expect(await read('a')).toBe(VALUE);
  });

  it('that is missing is told of, and no new one takes its place while there are secrets', async () => {
    const { store, read, keyFile, folder } = desk();
    await store.set('a', VALUE, signal);
    const elsewhere = { env: { HOME: folder, ONEMCP_SECRET_KEY_FILE: join(folder, 'missing.key') } };
    await expect(read('a', elsewhere)).rejects.toThrow(`was not found, neither as ${join(folder, 'missing.key')}`);
    writeFileSync(keyFile, '');
    await expect(store.set('b', VALUE, signal)).rejects.toThrow('is no key');
  });

  it('may be anywhere that ONEMCP_SECRET_KEY_FILE says', async () => {
    const named = join(temporary(), 'deep', 'my.key');
    const { store, read, keyFile } = desk({ env: { ONEMCP_SECRET_KEY_FILE: named } });
    expect(await store.set('a', VALUE, signal)).toBe(named);
    expect(existsSync(keyFile)).toBe(false);
    expect(await read('a')).toBe(VALUE);
  });

  const ringOf = (kept: { key?: string }, takes = true): Keyring => ({
    name: 'the ring',
    get: async () => kept.key,
    set: async (key) => {
      if (takes) kept.key = key;
      return true;
    },
  });

  it('is in the keyring where there is one, and in a file where that does not keep it', async () => {
    const kept = {};
    const { store, read, keyFile } = desk({ keyring: async () => ringOf(kept) });
    expect(await store.set('a', VALUE, signal)).toBe('the ring');
    expect(await read('a')).toBe(VALUE);
    expect(existsSync(keyFile)).toBe(false);
    await expect(read('a', { keyring: async () => undefined })).rejects.toThrow(`neither as ${keyFile} nor in a keyring`);

    const forgetful = desk({ keyring: async () => ringOf({}, false) });
    expect(await forgetful.store.set('a', VALUE, signal)).toBe(forgetful.keyFile);
    expect(await forgetful.read('a')).toBe(VALUE);
  });
});

describe('the keyring', () => {
  const KEY = 'ab'.repeat(32);

  /** Plays `secret-tool` and `security`. */
  function programs(answer: (run: ProgramRun) => { code: number; out?: string } | Error) {
    const runs: ProgramRun[] = [];
    const run = async (asked: ProgramRun) => {
      runs.push(asked);
      const said = answer(asked);
      if (said instanceof Error) throw said;
      return { code: said.code, stdout: Buffer.from(said.out ?? '') };
    };
    return { run, runs };
  }
  const env = { PATH: '/bin', DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x', VAULT_TOKEN: 'not-for-it' };

  it('of Linux is asked through secret-tool, which never gets a key as an argument', async () => {
    const { run, runs } = programs(({ argv }) => (argv[1] === 'lookup' ? { code: 0, out: `${KEY}\n` } : { code: 0 }));
    const ring = await findKeyring({ env, platform: 'linux', run });
    expect(await ring?.get(signal)).toBe(KEY);
    expect(await ring?.set(KEY, signal)).toBe(true);
    expect(runs.map(({ argv, input }) => [argv[0], argv[1], input])).toEqual([
      ['secret-tool', 'lookup', undefined],
      ['secret-tool', 'store', KEY],
    ]);
    expect(JSON.stringify(runs.map(({ argv }) => argv))).not.toContain(KEY);
    expect(runs[0]?.env).toEqual({ PATH: '/bin', DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x' });
  });

  it('of macOS is asked through security, which never gets a key as an argument', async () => {
    const { run, runs } = programs(({ argv }) => (argv[1] === '-i' ? { code: 0 } : { code: 44 }));
    const ring = await findKeyring({ env, platform: 'darwin', run });
    expect(await ring?.get(signal)).toBeUndefined();
    expect(await ring?.set(KEY, signal)).toBe(true);
    expect(runs.at(-1)?.input).toBe(`add-generic-password -U -s onemcp -a secret-store -w ${KEY}\n`);
    expect(JSON.stringify(runs.map(({ argv }) => argv))).not.toContain(KEY);
  });

  it('is not there without a session bus, without its program, and on Windows', async () => {
    const { run } = programs(() => Object.assign(new Error('not found'), { code: 'ENOENT' }));
    expect(await findKeyring({ env: { PATH: '/bin' }, platform: 'linux', run })).toBeUndefined();
    expect(await findKeyring({ env, platform: 'win32', run })).toBeUndefined();
    const ring = await findKeyring({ env, platform: 'linux', run });
    expect(await ring?.get(signal)).toBeUndefined();
    expect(await ring?.set(KEY, signal)).toBe(false);
  });

  it('that waits for somebody to unlock it is told of', async () => {
    const { run } = programs(() => new Error('the program was ended, for it took too long'));
    const ring = await findKeyring({ env, platform: 'linux', run });
    await expect(ring?.get(signal)).rejects.toThrow('unlock it, or name a key file in ONEMCP_SECRET_KEY_FILE');
  });
});
