/** The log in a file: appended in the order of the calls, rotated by size, opened anew on demand. */
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface LogFileOptions {
  /** Absolute. */
  readonly path: string;
  /** Bytes after which the file is moved to `path.1`, that one to `path.2` and so on; 0: never. */
  readonly maxBytes: number;
  /** Files kept, the one that is written to included. */
  readonly files: number;
  /** Told once when the file cannot be written, and again after it could be. */
  readonly onProblem: (message: string) => void;
}

export interface LogFile {
  /** Takes one line without its end. Never throws and never waits: what a full or slow disk does not take in time is dropped and counted. */
  readonly write: (line: string) => void;
  /** Lets go of the file and makes it anew, for whoever has moved it away. */
  reopen(): void;
  /** Writes what is left, for at most this many milliseconds. */
  close(grace: number): Promise<void>;
}

/** Characters that may wait for the disk. */
const MAX_QUEUED = 1024 * 1024;

/** Readable by its owner alone: it says which servers there are, and what went wrong with them. */
const MODE = 0o600;

/** Opens the file at the first line, its folder included. */
export function createLogFile({ path, maxBytes, files, onProblem }: LogFileOptions): LogFile {
  let queue: string[] = [];
  let queued = 0;
  let dropped = 0;
  let handle: FileHandle | undefined;
  let size = 0;
  let isStale = false;
  let isBroken = false;
  let work: Promise<void> | undefined;

  const release = async () => {
    const old = handle;
    handle = undefined;
    await old?.close().catch(() => {});
  };

  const opened = async (): Promise<FileHandle> => {
    if (isStale) await release();
    isStale = false;
    if (handle) return handle;
    await mkdir(dirname(path), { recursive: true });
    handle = await open(path, 'a', MODE);
    size = (await handle.stat()).size;
    return handle;
  };

  const rotate = async () => {
    await release();
    for (let n = files - 2; n >= 1; n--) await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(ignoreMissing);
    if (files > 1) await rename(path, `${path}.1`);
    else await (await open(path, 'w', MODE)).close();
  };

  const append = async (lines: readonly string[]) => {
    const missed = dropped;
    const note = missed > 0 ? [droppedLine(missed)] : [];
    const text = [...note, ...lines].map((line) => `${line}\n`).join('');
    const file = await opened();
    await file.appendFile(text);
    dropped -= missed;
    size += Buffer.byteLength(text);
    if (maxBytes > 0 && size >= maxBytes) await rotate();
  };

  const drain = async () => {
    do {
      const lines = queue;
      queue = [];
      queued = 0;
      try {
        if (lines.length > 0 || isStale) await append(lines);
        isBroken = false;
      } catch (error) {
        dropped += lines.length;
        await release();
        if (!isBroken) onProblem(`the log cannot be written to ${path}: ${(error as Error).message}; its lines are dropped until it can`);
        isBroken = true;
        isStale = false;
      }
    } while (queue.length > 0 || isStale);
    work = undefined;
  };
  const wake = () => {
    work ??= drain();
  };

  return {
    write(line) {
      if (queued + line.length > MAX_QUEUED) return void dropped++;
      queue.push(line);
      queued += line.length + 1;
      wake();
    },
    reopen() {
      isStale = true;
      wake();
    },
    async close(grace) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, grace);
      });
      const written = (async () => {
        await work;
        await release();
      })();
      await Promise.race([written, late]);
      clearTimeout(timer);
    },
  };
}

const droppedLine = (lines: number) => JSON.stringify({ ts: new Date().toISOString(), level: 'warn', event: 'log.dropped', lines });

const ignoreMissing = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error;
};
