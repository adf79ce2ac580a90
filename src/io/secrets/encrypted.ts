/** The encrypted store: one file in the state folder, whose key is elsewhere. */
import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, readText, writeText } from '../stores/file.ts';
import { formatStore, keyIdOf, parseStore, type StoreContent, seal, unseal } from './cipher.ts';
import { type FoundKey, findKey, keyPlace, makeKey } from './key.ts';
import { findKeyring, type Keyring } from './keyring.ts';

export interface StoreOptions {
  /** Absolute; its folder is ours alone. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Default: that of the operating system. */
  readonly keyring?: () => Promise<Keyring | undefined>;
  /** Default: the clock. */
  readonly now?: () => Date;
}

export interface EncryptedStore {
  readonly file: string;
  /** Reads the file once; undefined for a name that is not in it. @throws Error that says what is wrong with file or key */
  reader(): Promise<(name: string, signal: AbortSignal) => Promise<string | undefined>>;
  /** Names with the time at which they were set (ISO 8601), sorted. Needs no key. */
  list(): Promise<readonly { readonly name: string; readonly set: string }[]>;
  /** @returns where the key is, in words */
  set(name: string, value: string, signal: AbortSignal): Promise<string>;
  /** @returns whether it was there */
  remove(name: string): Promise<boolean>;
}

const LARGEST = 64 * 1024 * 1024;
/** Age of a lock whose owner has died. A change takes milliseconds, or as long as it takes a person to unlock a keyring. */
const ABANDONED_MS = 60_000;
const LOCK_WAIT_MS = 15_000;

export function openStore({
  file,
  env,
  platform,
  keyring = () => findKeyring({ env, platform }),
  now = () => new Date(),
}: StoreOptions): EncryptedStore {
  const content = (): StoreContent | undefined => {
    try {
      return parseStore(readText(file, LARGEST));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new Error(`the store ${file} cannot be used: ${code ?? message}`);
    }
  };

  const keyOf = async ({ keyId }: StoreContent, signal: AbortSignal): Promise<FoundKey> => {
    const found = await findKey({ env, keyring, signal });
    if (!found) throw new Error(`the key of the store ${file} was not found, neither as ${keyPlace(env)} nor in a keyring`);
    if (keyIdOf(found.key) === keyId) return found;
    throw new Error(
      `the key in ${found.where} is not the one of the store ${file}; bring that one back, or remove the store and set its secrets anew`,
    );
  };

  /** Nobody else changes the file meanwhile. */
  const change = async <T>(step: () => Promise<T>): Promise<T> => {
    makeFolder(dirname(file));
    const unlock = await locked(`${file}.lock`);
    try {
      return await step();
    } finally {
      await unlock();
    }
  };

  return {
    file,
    async reader() {
      const found = content();
      let key: Promise<FoundKey> | undefined;
      return async (name, signal) => {
        const sealed = found?.secrets.get(name);
        if (!found || !sealed) return undefined;
        key ??= keyOf(found, signal);
        return unseal(sealed, { key: (await key).key, name });
      };
    },
    async list() {
      const secrets = [...(content()?.secrets ?? [])].map(([name, { set }]) => ({ name, set }));
      return secrets.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    set: (name, value, signal) =>
      change(async () => {
        const found = content();
        const known = found && found.secrets.size > 0 ? await keyOf(found, signal) : await findKey({ env, keyring, signal });
        const { key, where } = known ?? (await makeKey({ env, keyring, signal }));
        const secrets = new Map(found?.secrets).set(name, seal(value, { key, name, set: now().toISOString() }));
        await writeText(file, formatStore({ keyId: keyIdOf(key), secrets }));
        return where;
      }),
    async remove(name) {
      if (!content()?.secrets.has(name)) return false;
      return change(async () => {
        const found = content();
        const secrets = new Map(found?.secrets);
        if (!found || !secrets.delete(name)) return false;
        await writeText(file, formatStore({ ...found, secrets }));
        return true;
      });
    },
  };
}

/** Takes a lock between processes; gives what gives it back. @throws Error when somebody keeps it */
async function locked(path: string): Promise<() => Promise<void>> {
  for (const deadline = performance.now() + LOCK_WAIT_MS; ; ) {
    const taken = await writeFile(path, '', { flag: 'wx', mode: 0o600 }).then(
      () => true,
      ({ code }: NodeJS.ErrnoException) => {
        if (code === 'EEXIST') return false;
        throw new Error(`${path} cannot be written: ${code}`);
      },
    );
    if (taken) return () => rm(path, { force: true });
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > ABANDONED_MS) await rm(path, { force: true });
    else if (performance.now() > deadline) throw new Error(`somebody else is changing the store; if nobody is, remove ${path}`);
    else await sleep(20);
  }
}
