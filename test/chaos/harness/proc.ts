/** What Linux says of processes. */
import { readdirSync, readFileSync } from 'node:fs';
import { isAlive } from '../../e2e/gateway.ts';

const RUN_COOKIE = 'ONEMCP_RUN=';

const read = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};

/** Bytes of memory: now, and the most there ever was. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = read(`/proc/${pid}/status`);
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** Open files of a process. */
export function filesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** The mark that the gateway gave a backend, and with it every process of the run: `ONEMCP_RUN=…`. */
export const cookieOf = (pid: number): string | undefined =>
  read(`/proc/${pid}/environ`)
    .split('\0')
    .find((entry) => entry.startsWith(RUN_COOKIE));

/** Processes that carry an entry in their environment and live. */
export const marked = (entry: string): number[] =>
  pids().filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(entry) && isAlive(pid));

/** Children of a process that have ended and that it has not collected. */
export function zombiesOf(parent: number): number[] {
  return pids().filter((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' && Number(ppid) === parent;
  });
}

const pids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
