import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../deps.ts';
import { checkKey, createQueue, type Store } from './store.ts';

export interface FileStoreOptions {
  /** Absolute path of a folder that is ours alone; made when the first text is put. */
  readonly folder: string;
  /** Bytes of one text; a longer file is not read. */
  readonly maxBytes: number;
  readonly log: Log;
}

/** Windows has no such flags. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = constants;

/** Age in milliseconds after which the file of a write that never ended is removed. */
const ABANDONED = 600_000;

/**
 * One file a text, `KEY.json`, readable by its owner only. What is written becomes visible whole or not at all, and no
 * link that somebody planted is followed.
 */
export function createFileStore({ folder, maxBytes, log }: FileStoreOptions): Store {
  const queue = createQueue();
  const pathOf = (key: string) => join(folder, `${key}.json`);
  let prepared = false;

  const warn = (path: string, error: unknown) =>
    log('warn', 'store.unreadable', { message: `${path} is not used: ${(error as Error).message}`, code: codeOf(error) });

  const change = (key: string, step: (path: string) => Promise<void>) =>
    queue.add(async () => {
      checkKey(key);
      if (!prepared) {
        makeFolder(folder);
        removeAbandoned(folder);
      }
      prepared = true;
      try {
        await step(pathOf(key));
      } catch (error) {
        // The folder may have been removed, or replaced by a link.
        prepared = false;
        throw error;
      }
    });

  return {
    get(key) {
      checkKey(key);
      try {
        checkFolder(folder);
        return readText(pathOf(key), maxBytes);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') warn(pathOf(key), error);
        return undefined;
      }
    },
    put: (key, text) => change(key, (path) => writeText(path, text)),
    delete: (key) => change(key, (path) => rm(path, { force: true })),
    setAside(key) {
      const path = pathOf(key);
      const bad = `${path}.bad`;
      try {
        renameSync(path, bad);
        log('warn', 'store.corrupt', { message: `${path} makes no sense and is not used; it is kept as ${bad}` });
      } catch (error) {
        warn(path, error);
      }
    },
    close: () => queue.close(),
  };
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Throws unless a folder is a real one, and nobody else's. */
function checkFolder(folder: string): void {
  const found = lstatSync(folder);
  if (!found.isDirectory()) throw Object.assign(new Error(`${folder} is not a folder`), { code: 'ENOTDIR' });
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid) throw Object.assign(new Error(`${folder} belongs to somebody else`), { code: 'EPERM' });
  // One that was there before us may be open to others.
  if (uid !== undefined && (found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/** A folder of ours alone, if need be a new one. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  checkFolder(folder);
}

/** What was being written when a gateway was killed. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.tmp')) continue;
    const path = join(folder, name);
    try {
      if (Date.now() - statSync(path).mtimeMs > ABANDONED) unlinkSync(path);
    } catch {
      // Another gateway was quicker.
    }
  }
}

/** @throws Error with the `code` of the operating system, and for a link, a pipe and a longer file */
export function readText(path: string, maxBytes: number): string {
  // A pipe in its place must not make us wait.
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new Error('it is not a regular file');
    if (found.size > maxBytes) throw new Error(`it has ${found.size} bytes, more than ${maxBytes}`);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/** Whoever reads sees the old text or the new one; readable by its owner only. */
export async function writeText(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await file.writeFile(text);
      // A rename must not reach the disk before what it names.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}
