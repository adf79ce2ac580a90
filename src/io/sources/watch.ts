import { type FSWatcher, watch } from 'node:fs';
import { placesOf } from './places.ts';

export interface WatchOptions {
  /** Absolute. Its last part may be `ANY`: then every name in the folder counts. */
  readonly path: string;
  /** Milliseconds between two glances, for file systems that do not tell of changes; 0: none. */
  readonly poll: number;
  /** The print of what was read last; default: that of the first look. */
  readonly seen: string | undefined;
  /** The same for the same content. Never rejects. */
  readonly print: () => Promise<string>;
  /** Cheaper, and the same while most likely nothing has changed. Never rejects. */
  readonly glance: () => Promise<string>;
  /** The print is another one. Never called after `close`. */
  readonly onChange: () => void;
}

export interface Watch {
  close(): void;
}

/** As the last part of a path: whatever is in the folder. */
export const ANY = '*';

/**
 * Watches what a path leads to by its folder and by the folder of each symbolic link on the way to it, and looks at its print
 * whenever something happens there. Never throws; what cannot be watched is polled.
 */
export function watchPath({ path, poll, seen, print, glance, onChange }: WatchOptions): Watch {
  /** By folder, its inode included: another folder may come in its place. */
  const watchers = new Map<string, FSWatcher>();
  let known = seen;
  let lastGlance = '';
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
      // Before the content: whatever changes from now on is told of.
      await rewatch();
      const now = await print();
      if (closed) return;
      if (known !== undefined && now !== known) onChange();
      known = now;
    } while (again);
    looking = false;
  };

  const rewatch = async () => {
    const places = await placesOf(path);
    if (closed) return;
    for (const [key, { folder, names }] of places) {
      if (watchers.has(key)) continue;
      const watcher = watched(folder, (name) => {
        if (name === null || names.has(name) || names.has(ANY)) void look();
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
    const now = await glance();
    if (now !== lastGlance) void look();
    lastGlance = now;
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
