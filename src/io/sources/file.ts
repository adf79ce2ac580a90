import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { type Watch, watchPath } from './watch.ts';

export interface FileWatchOptions {
  /** Absolute. */
  readonly file: string;
  /** Milliseconds between two looks, for file systems that do not tell of changes; 0: none. */
  readonly poll: number;
  /** The text as it was read last; default: that of the first look. */
  readonly seen?: string | undefined;
  /** The file has another text than it had, or is there no longer. Never called after `close`. */
  readonly onChange: () => void;
}

/** Beyond it a file is no configuration, and is told from another by its size and time. */
const LARGEST = 4 * 1024 * 1024;

/**
 * Watches one file by its folder and by the folder of each symbolic link on the way to it, so that it does not matter how it
 * is changed: written, renamed over, deleted and made anew, or swapped by a link like the `..data` of a ConfigMap. What counts
 * is its text: a `touch` says nothing. Never throws; what cannot be watched is polled.
 */
export function watchFile({ file, poll, seen, onChange }: FileWatchOptions): Watch {
  return watchPath({
    path: file,
    poll,
    seen: seen === undefined ? undefined : hashOf(seen),
    print: () => fingerprint(file),
    glance: () => statText(file),
    onChange,
  });
}

async function statText(file: string): Promise<string> {
  try {
    return sizeAndTime(await stat(file));
  } catch {
    return 'missing';
  }
}

export const sizeAndTime = ({ dev, ino, size, mtimeMs }: Stats): string => `${dev}:${ino}:${size}:${mtimeMs}`;

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The same for the same text. Only of regular files: to read another, such as a pipe, may take its content away. */
async function fingerprint(file: string): Promise<string> {
  try {
    // A pipe is not even opened: that would wait for somebody who writes to it.
    if (!(await stat(file)).isFile()) return 'not a file';
    const handle = await open(file);
    try {
      const stats = await handle.stat();
      if (stats.size > LARGEST) return sizeAndTime(stats);
      return hashOf(new TextDecoder().decode(await handle.readFile()));
    } finally {
      await handle.close();
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
