import { constants, copyFile, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A file that is to get another text. */
export interface Replacement {
  readonly path: string;
  readonly text: string;
  /** What it held when it was read; undefined: there was none. */
  readonly expected: string | undefined;
  /** Where its old text is kept; default: nowhere. */
  readonly backup?: string | undefined;
}

/** Files hold credentials: a new one is for its owner alone. */
const OWNER_ONLY = 0o600;

/**
 * Replaces a file at once: whoever reads it sees the old text or the new one. Its mode stays, and a symbolic link goes on
 * leading to it.
 * @throws Error when it cannot be written, or was changed meanwhile
 */
export async function replaceFile({ path, text, expected, backup }: Replacement): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const old = await stat(target).catch(() => undefined);
  const temporary = join(dirname(target), `.${basename(target)}.${Date.now().toString(36)}.tmp`);
  const handle = await open(temporary, 'wx', OWNER_ONLY);
  try {
    try {
      await handle.writeFile(text);
      if (old) await handle.chown(old.uid, old.gid).catch(() => undefined);
      if (old) await handle.chmod(old.mode & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const present = await readFile(target, 'utf8').catch(() => undefined);
    if (present !== expected) throw new Error('it was changed by something else at this moment; try again');
    if (backup !== undefined && old) await copyFile(target, backup, constants.COPYFILE_EXCL);
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
