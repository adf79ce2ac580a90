/** The key of the encrypted store: in the keyring of the operating system, or in a file of its own. */
import { randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { KEY_BYTES } from './cipher.ts';
import type { Keyring } from './keyring.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface KeyPlaces {
  readonly env: Env;
  /** Is asked only when no file is named. */
  readonly keyring: () => Promise<Keyring | undefined>;
  readonly signal: AbortSignal;
}

export interface FoundKey {
  readonly key: Uint8Array;
  /** In words. */
  readonly where: string;
}

const { O_RDONLY, O_NONBLOCK = 0 } = constants;

/** The key, if there is one. @throws Error when it cannot be used, for instance because others can read it */
export async function findKey({ env, keyring, signal }: KeyPlaces): Promise<FoundKey | undefined> {
  const { file, isNamed } = keyFileOf(env);
  const text = file === undefined ? undefined : await readKeyFile(file);
  if (file !== undefined && text !== undefined) return { key: decoded(text, file), where: file };
  if (isNamed) return undefined;
  const ring = await keyring();
  const kept = await ring?.get(signal);
  return ring && kept !== undefined ? { key: decoded(kept, ring.name), where: ring.name } : undefined;
}

/** Makes a key, in the keyring if there is one that takes it. @throws Error when there is no place for it */
export async function makeKey({ env, keyring, signal }: KeyPlaces): Promise<FoundKey> {
  const key = randomBytes(KEY_BYTES);
  const text = key.toString('hex');
  const { file, isNamed } = keyFileOf(env);
  const ring = isNamed ? undefined : await keyring();
  // What it took is what it gives back: some keyrings take everything and keep nothing.
  if (ring && (await ring.set(text, signal)) && (await ring.get(signal)) === text) return { key, where: ring.name };
  if (file === undefined) throw new Error('there is no place for the key; set HOME, or name a file in ONEMCP_SECRET_KEY_FILE');
  await writeKeyFile(file, `${text}\n`);
  return { key: decoded((await readKeyFile(file)) ?? '', file), where: file };
}

/** Where a key file would be, for people. */
export const keyPlace = (env: Env): string => keyFileOf(env).file ?? 'ONEMCP_SECRET_KEY_FILE';

/** Beside the configuration of the user, not beside the store: who copies the one does not have the other. */
function keyFileOf({ ONEMCP_SECRET_KEY_FILE: named, XDG_CONFIG_HOME: xdg, HOME: home }: Env): {
  readonly file: string | undefined;
  readonly isNamed: boolean;
} {
  if (named) return { file: resolve(named), isNamed: true };
  const folder = xdg && isAbsolute(xdg) ? xdg : home && join(home, '.config');
  return { file: folder ? join(folder, 'onemcp', 'secret.key') : undefined, isNamed: false };
}

async function readKeyFile(file: string): Promise<string | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, O_RDONLY | O_NONBLOCK);
    const { mode, uid, size } = await handle.stat();
    const complaint = openToOthers({ mode, uid }, process.getuid?.());
    if (complaint !== undefined) throw new Error(`the key file ${file} ${complaint}`);
    if (size > 1024) throw new Error(`the key file ${file} holds no key`);
    return await handle.readFile('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw code === undefined ? error : new Error(`the key file ${file} cannot be read: ${code}`);
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

/** A file of root may be readable by a group: so Kubernetes gives a file to one user. */
function openToOthers({ mode, uid }: { readonly mode: number; readonly uid: number }, own: number | undefined): string | undefined {
  if (own === undefined) return undefined;
  if (uid !== own && uid !== 0) return 'belongs to somebody else';
  const forbidden = uid === own ? 0o077 : 0o037;
  return (mode & forbidden) === 0
    ? undefined
    : 'can be read or written by others; run: chmod 600 on it, and set the secrets anew if others may have read it';
}

/** Never over another key: whoever was first has it. */
async function writeKeyFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new Error(`the key file ${file} cannot be written: ${code}`);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

function decoded(text: string, where: string): Uint8Array {
  const hex = text.trim();
  if (!new RegExp(`^[0-9a-f]{${KEY_BYTES * 2}}$`, 'i').test(hex))
    throw new Error(`what is in ${where} is no key: expected ${KEY_BYTES * 2} hexadecimal digits`);
  return Buffer.from(hex, 'hex');
}
