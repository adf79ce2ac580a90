import { spawn } from 'node:child_process';
import { tooLarge } from './provider.ts';

export interface ProgramRun {
  /** The program and its arguments: there is no shell. */
  readonly argv: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to its stdin. */
  readonly input?: string;
  /** Bytes of stdout besides a line end; a program that says more is ended. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface ProgramResult {
  /** Undefined when it was ended by a signal. */
  readonly code: number | undefined;
  readonly stdout: Uint8Array;
}

/** @throws Error when it cannot be started, says too much, or is aborted; never with what it said */
export type RunProgram = (run: ProgramRun) => Promise<ProgramResult>;

const windows = process.platform === 'win32';
const LINE_END = 2;
/** How long after the exit of a program its output may take; what it left behind may hold its stdout for ever. */
const LAST_WORDS_MS = 250;

/** Runs a program that deals with secrets. Its stderr is never looked at: it may say them. */
export const runProgram: RunProgram = ({ argv, env, cwd, input, maxBytes, signal }) =>
  new Promise((resolve, reject) => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, {
      env,
      ...(cwd !== undefined && { cwd }),
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'ignore'],
      detached: !windows,
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let length = 0;
    let lastWords: NodeJS.Timeout | undefined;

    const finish = (settle: () => void) => {
      clearTimeout(lastWords);
      signal.removeEventListener('abort', abort);
      child.stdout?.destroy();
      settle();
    };
    const fail = (error: Error) => {
      end(child.pid);
      finish(() => reject(error));
    };
    const abort = () => fail(new Error('the program was ended, for it took too long'));
    const done = () => finish(() => resolve({ code: child.exitCode ?? undefined, stdout: Buffer.concat(chunks) }));

    signal.addEventListener('abort', abort);
    child.on('error', ({ code }: NodeJS.ErrnoException) => finish(() => reject(startError(program, code))));
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    child.stdout?.on('error', () => {});
    child.stdout?.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes + LINE_END) fail(tooLarge(maxBytes));
      else chunks.push(chunk);
    });
    child.on('exit', () => {
      lastWords = setTimeout(done, LAST_WORDS_MS);
    });
    child.on('close', done);
    if (signal.aborted) abort();
  });

/** With whatever it has started. */
function end(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(windows ? pid : -pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function startError(program: string, code: string | undefined): Error {
  if (code === 'ENOENT')
    return Object.assign(new Error(`the program ${program} was not found; install it, or give its absolute path`), { code });
  return Object.assign(new Error(`the program ${program} cannot be started: ${code}`), { code });
}

const MINIMAL = windows ? 'PATH SYSTEMROOT SYSTEMDRIVE TEMP USERPROFILE APPDATA LOCALAPPDATA' : 'PATH HOME USER LOGNAME LANG TZ TMPDIR';

/** Of an environment what every program needs, and what is named besides. */
export function minimalEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  more: readonly string[] = [],
): Record<string, string> {
  const wanted = new Set([...MINIMAL.split(' '), ...more]);
  const pairs = Object.entries(env).filter(([name, value]) => value !== undefined && wanted.has(windows ? name.toUpperCase() : name));
  return Object.fromEntries(pairs) as Record<string, string>;
}
