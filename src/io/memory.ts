import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createAlarm } from './alarm.ts';
import type { Watch } from './idleness.ts';

/** Bytes of memory (RSS) of all processes of a group; undefined where that is not known. Never rejects. */
export type MemoryOf = (pgid: number) => Promise<number | undefined>;

/** Bytes by process group. */
type Groups = ReadonlyMap<number, number>;

/** Looks at the same time are answered by one reading. */
const FRESH_MS = 500;
const PS_MS = 5_000;
const AT_ONCE = 16;

/** @param read tells the memory of every process group */
export function createMemoryOf(read: () => Promise<Groups> = READERS[process.platform] ?? readPs): MemoryOf {
  let reading: Promise<Groups | undefined> | undefined;
  let readAt = 0;
  return async (pgid) => {
    const now = performance.now();
    if (!reading || now - readAt > FRESH_MS) {
      readAt = now;
      reading = read().catch(() => undefined);
    }
    return (await reading)?.get(pgid);
  };
}

/** Where the first guess does not do. On Windows a group is no thing that can be asked for. */
const READERS: Readonly<Record<string, (() => Promise<Groups>) | undefined>> = {
  linux: readProc,
  win32: async () => new Map(),
};

/** proc(5): `stat` has the group, `status` the memory in kibibytes, whatever the size of a page. */
async function readProc(): Promise<Groups> {
  const groups = new Map<number, number>();
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const readOne = async (pid: string) => {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
      // pid (name) state ppid pgrp …: the name may contain spaces and brackets.
      const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3)[2]);
      const rss = /^VmRSS:\s*(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'latin1'));
      if (rss) groups.set(group, (groups.get(group) ?? 0) + Number(rss[1]) * 1024);
    } catch {
      // Ended meanwhile.
    }
  };
  for (let at = 0; at < pids.length; at += AT_ONCE) await Promise.all(pids.slice(at, at + AT_ONCE).map(readOne));
  return groups;
}

/** POSIX ps. */
function readPs(): Promise<Groups> {
  return new Promise((resolve, reject) => {
    execFile('ps', ['-A', '-o', 'pgid=', '-o', 'rss='], { timeout: PS_MS }, (error, stdout) => {
      if (error) return reject(error);
      const groups = new Map<number, number>();
      for (const line of stdout.split('\n')) {
        const [group, kibibytes] = line.trim().split(/\s+/).map(Number);
        if (group && kibibytes) groups.set(group, (groups.get(group) ?? 0) + kibibytes * 1024);
      }
      resolve(groups);
    });
  });
}

export interface MemoryOptions {
  readonly pid: number | undefined;
  /** Bytes; 0: no limit. */
  readonly maxMemory: number;
  /** Milliseconds between two looks. */
  readonly interval: number;
  readonly memoryOf: MemoryOf;
  /** It needs more than that. Once. */
  readonly onExceeded: (bytes: number, limit: number) => void;
}

/** Looks at the memory of a program and everything it started. */
export function watchMemory({ pid, maxMemory, interval, memoryOf, onExceeded }: MemoryOptions): Watch {
  let limit = 0;
  let over = false;

  const look = async () => {
    const bytes = await memoryOf(pid as number);
    if (over || limit === 0) return;
    if (bytes === undefined || bytes <= limit) return alarm.set(interval);
    over = true;
    onExceeded(bytes, limit);
  };
  const alarm = createAlarm(() => void look());

  const set = (value: number) => {
    limit = value;
    alarm.off();
    if (limit > 0 && pid !== undefined && !over) alarm.set(interval);
  };
  set(maxMemory);
  return { set, end: () => set(0) };
}
