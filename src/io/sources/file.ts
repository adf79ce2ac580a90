import { createHash } from 'node:crypto';
import { type FSWatcher, type Stats, watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { placesOf } from './places.ts';

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

export interface FileWatch {
  close(): void;
}

/** Beyond it a file is no configuration, and is told from another by its size and time. */
const LARGEST = 4 * 1024 * 1024;

/**
 * Watches one file by its folder and by the folder of each symbolic link on the way to it, so that it does not matter how it
 * is changed: written, renamed over, deleted and made anew, or swapped by a link like the `..data` of a ConfigMap. What counts
 * is its text: a `touch` says nothing. Never throws; what cannot be watched is polled.
 */
export function watchFile({ file, poll, seen, onChange }: FileWatchOptions): FileWatch {
  /** By folder, its inode included: another folder may come in its place. */
  const watchers = new Map<string, FSWatcher>();
  let known = seen === undefined ? undefined : hashOf(seen);
  let lastStat = '';
  let looking = false;
  let again = false;
  let closed = false;

  const look = async () => {
    if (looking || closed) {
      again = true;
      return;
    }
    looking = true;
    do {
      again = false;
      // Before the text: whatever changes from now on is told of.
      await rewatch();
      const print = await fingerprint(file);
      if (closed) return;
      if (known !== undefined && print !== known) onChange();
      known = print;
    } while (again);
    looking = false;
  };

  const rewatch = async () => {
    const places = await placesOf(file);
    if (closed) return;
    for (const [key, { folder, names }] of places) {
      if (watchers.has(key)) continue;
      const watcher = watched(folder, (name) => {
        if (name === null || names.has(name)) void look();
      });
      if (!watcher) continue;
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(key);
      });
      watchers.set(key, watcher);
    }
    for (const [key, watcher] of watchers) {
      if (places.has(key)) continue;
      watcher.close();
      watchers.delete(key);
    }
  };

  const pollOnce = async () => {
    const now = await statText(file);
    if (now !== lastStat) void look();
    lastStat = now;
    if (!closed) timer = later(pollOnce, poll);
  };

  let timer = poll > 0 ? later(pollOnce, poll) : undefined;
  void look();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

const later = (action: () => Promise<void>, ms: number) => setTimeout(() => void action(), ms).unref();

/** Undefined where it is not possible: the folder has gone, or there are too many watchers. */
function watched(folder: string, listener: (name: string | null) => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, (_, name) => listener(name));
  } catch {
    return undefined;
  }
}

async function statText(file: string): Promise<string> {
  try {
    return sizeAndTime(await stat(file));
  } catch {
    return 'missing';
  }
}

const sizeAndTime = ({ dev, ino, size, mtimeMs }: Stats): string => `${dev}:${ino}:${size}:${mtimeMs}`;

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

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
