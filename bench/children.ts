/** Child processes of the benchmark: every one is known by pid and ended, whatever happens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const STOP_MS = 10_000;
const alive = new Set<ChildProcess>();

/** A running child. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** The next line of its stdout. @throws Error when it exits or stays silent for `timeoutMs`. */
  line(timeoutMs?: number): Promise<string>;
  /** Writes to its stdin. */
  write(text: string): void;
  /** Asks a probed child for its memory after a garbage collection, in bytes. */
  memory(): Promise<NodeJS.MemoryUsage>;
  exited(): boolean;
  /** The last lines of its stderr, for error reports. */
  stderr(): string;
  /** SIGTERM to its pid, SIGKILL when that does not help. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** What to start: arguments of `node`, extra environment, and whether it carries the memory probe. */
export interface Start {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly probe?: boolean;
}

const PROBE = ['--expose-gc', '--import', new URL('./probe.mjs', import.meta.url).href];

/** Starts a Node process. */
export function startChild({ name, args, env = {}, probe = false }: Start): Child {
  const process_ = spawn(process.execPath, [...(probe ? PROBE : []), ...args], {
    env: { ...process.env, BENCH_CHILD: '1', ...env },
    stdio: probe ? ['pipe', 'pipe', 'pipe', 'ipc'] : ['pipe', 'pipe', 'pipe'],
  });
  alive.add(process_);
  process_.once('exit', () => alive.delete(process_));
  process_.once('error', () => alive.delete(process_));
  // A child that dies while it is written to says so by its exit.
  process_.stdin?.on('error', () => {});
  let tail = '';
  process_.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000);
  });
  const exited = () => process_.exitCode !== null || process_.signalCode !== null || process_.pid === undefined;

  return {
    name,
    pid: process_.pid ?? 0,
    line: lineReader(name, process_, () => tail),
    write: (text) => void process_.stdin?.write(text),
    async memory() {
      const answer = once(process_, 'message', { signal: AbortSignal.timeout(30_000) });
      process_.send('memory');
      const [usage] = await answer;
      return usage as NodeJS.MemoryUsage;
    },
    exited,
    stderr: () => tail.trim(),
    async stop() {
      if (!exited()) await end(process_);
    },
  };
}

function lineReader(name: string, process_: ChildProcess, stderr: () => string): Child['line'] {
  const lines: string[] = [];
  let wake = () => {};
  let closed = false;
  const reader = createInterface({ input: process_.stdout! });
  reader.on('line', (line) => {
    lines.push(line);
    wake();
  });
  reader.on('close', () => {
    closed = true;
    wake();
  });
  return async (timeoutMs = 15_000) => {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const line = lines.shift();
      if (line !== undefined) return line;
      if (closed) throw new Error(`${name} ended: ${stderr().trim() || 'no message'}`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${name} said nothing for ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
}

async function end(process_: ChildProcess): Promise<void> {
  const gone = once(process_, 'exit');
  process_.kill('SIGTERM');
  const timer = setTimeout(() => process_.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

/** Ends every child that is still running. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...alive].map(end));
}

/** The last resort for `process.on('exit')`, which cannot wait. */
export function killChildren(): void {
  for (const process_ of alive) process_.kill('SIGKILL');
}
