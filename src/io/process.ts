import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { MaybeSecret, StdioBackendSpec } from '../config/config.ts';
import { OnemcpError } from '../errors.ts';
import type { IoDeps } from './deps.ts';
import { groupExists, groupIsDead, RUN_COOKIE, signalGroup } from './reaper.ts';
import { createStderrLog, throttled } from './stderrLog.ts';

/** How a process was lost. A stream it closed while it lives is as final as its exit. */
export type Loss =
  | { readonly kind: 'exit'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'stdout' };

export interface ProcessEvents {
  /** Milliseconds to wait before more is read. */
  readonly onStdout: (chunk: Buffer) => number;
  /** Everything written so far is with the operating system. */
  readonly onWritten: () => void;
  /** Once, after what was already written to stdout was delivered; not after `stop()` or `kill()`. */
  readonly onLost: (loss: Loss) => void;
}

/** A running program and everything it started, as one thing. */
export interface BackendProcess {
  readonly pid: number | undefined;
  /** Rejects with an OnemcpError `spawn_failed`. */
  readonly ready: Promise<void>;
  /** Characters written to stdin that the operating system has not taken; 0 means that more can be written. */
  readonly queued: number;
  /** Redacted. */
  readonly stderrTail: string;
  /** The last line of stderr that says something; redacted. */
  readonly lastWords: string | undefined;
  write(text: string): void;
  /** End of stdin, SIGTERM to the group, SIGKILL to the group. Resolves when nothing is left. Never rejects. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL to the group at once. Otherwise as `stop`. */
  kill(): Promise<void>;
}

/** How long output that is already in the pipe may take to be read after an exit; in-flight calls wait for it. */
const DRAIN_MS = 50;
/** A killed process that is still there after this hangs in the kernel. */
const UNKILLABLE_MS = 5_000;
const windows = process.platform === 'win32';

/**
 * Spawns a backend in its own process group, without a shell, with a minimal environment.
 * @throws OnemcpError `spawn_failed` where Node reports it synchronously.
 */
export function spawnProcess(spec: StdioBackendSpec, deps: IoDeps, events: ProcessEvents): BackendProcess {
  const { limits, reaper, log } = deps;
  const child = spawnChild(spec, deps);
  const { pid, stdin, stdout, stderr } = child;
  if (pid !== undefined) reaper.add(pid);

  const stderrLog = createStderrLog(spec.name, deps);
  let exited = false;
  let lost = false;
  let resting: NodeJS.Timeout | undefined;
  let ending: Promise<void> | undefined;
  let drained: Promise<void> | undefined;

  const outputEnded = Promise.all([ended(stdout), ended(stderr)]);
  const drain = () => {
    stderr?.resume();
    drained ??= within(DRAIN_MS, outputEnded).then(() => stderrLog.end());
    return drained;
  };

  const exit = new Promise<void>((resolve) => {
    // Not `close`: a grandchild may hold the streams for ever.
    child.once('exit', (code, signal) => {
      exited = true;
      readOn();
      resolve();
      lose({ kind: 'exit', code, signal });
    });
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', (error) => reject(spawnError(error, spec, deps)));
  });

  const readOn = () => {
    clearTimeout(resting);
    stdout?.resume();
  };
  const onStdout = (chunk: Buffer) => {
    const ms = events.onStdout(chunk);
    // The last words of a program do not wait.
    if (ms <= 0 || exited) return;
    stdout?.pause();
    resting = setTimeout(readOn, ms).unref();
  };
  const onWritten = (error?: Error | null) => {
    if (!error && stdin?.writableLength === 0) events.onWritten();
  };

  const signal = (name: 'SIGTERM' | 'SIGKILL') => {
    if (pid === undefined) return;
    if (!windows) return signalGroup(pid, name);
    spawn('taskkill', ['/T', ...(name === 'SIGKILL' ? ['/F'] : []), '/PID', String(pid)], { stdio: 'ignore' }).on('error', () => {});
  };

  /** Whether nothing of the group is left within `ms`. */
  const emptied = async (ms: number): Promise<boolean> => {
    const deadline = performance.now() + ms;
    for (let polls = 0; ; polls++) {
      // Looking for zombies reads all of /proc: only now and then.
      if (exited && (windows || !groupExists(pid as number) || (polls % 8 === 4 && groupIsDead(pid as number)))) return true;
      if (performance.now() >= deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(5 * 2 ** polls, 100)));
    }
  };

  const end = async (gently: boolean): Promise<void> => {
    if (pid === undefined) return;
    if (gently && !exited) {
      stdin?.end();
      await within(limits['stop.stdin'], exit);
    }
    let empty = exited && (windows || !groupExists(pid) || groupIsDead(pid));
    if (gently && !empty) {
      signal('SIGTERM');
      empty = await emptied(limits['stop.term']);
    }
    if (!empty) {
      signal('SIGKILL');
      empty = await emptied(UNKILLABLE_MS);
    }
    await drain();
    for (const stream of [stdin, stdout, stderr]) stream?.destroy();
    if (empty) reaper.remove(pid);
    else log('error', 'backend.unkillable', { backend: spec.name, pid });
  };

  const lose = (loss: Loss) => {
    if (lost || ending) return;
    lost = true;
    ending = end(false);
    void drain().then(() => events.onLost(loss));
  };
  /** A program on its way out closes its streams first: its exit is the better reason. */
  const loseSoon = (loss: Loss) => {
    if (!exited) setTimeout(() => lose(loss), DRAIN_MS);
  };

  stdin?.on('error', () => loseSoon({ kind: 'stdin' }));
  stdout?.on('data', onStdout);
  stdout?.on('end', () => loseSoon({ kind: 'stdout' }));
  stdout?.on('error', () => {});
  stderr?.on('data', throttled(stderr, stderrLog.push));
  stderr?.on('error', () => {});

  return {
    pid,
    ready,
    get queued() {
      return stdin?.writableLength ?? 0;
    },
    get stderrTail() {
      return stderrLog.tail();
    },
    get lastWords() {
      return stderrLog.lastWords();
    },
    write(text) {
      if (stdin?.writable) stdin.write(text, onWritten);
    },
    stop() {
      ending ??= end(true);
      return ending;
    },
    kill() {
      signal('SIGKILL');
      ending ??= end(false);
      return ending;
    },
  };
}

function spawnChild(spec: StdioBackendSpec, deps: IoDeps): ChildProcess {
  try {
    return spawn(reveal(spec.command), spec.args.map(reveal), {
      cwd: spec.cwd,
      env: childEnvironment(spec.env, deps),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: !windows,
      windowsHide: true,
    });
  } catch (error) {
    throw spawnError(error as Error, spec, deps);
  }
}

const reveal = (value: MaybeSecret): string => (typeof value === 'string' ? value : value.reveal());

const INHERITED = new Set(
  windows
    ? 'APPDATA HOMEDRIVE HOMEPATH LOCALAPPDATA PATH PROCESSOR_ARCHITECTURE SYSTEMDRIVE SYSTEMROOT TEMP USERNAME USERPROFILE PROGRAMFILES'.split(
        ' ',
      )
    : 'HOME LOGNAME PATH SHELL TERM USER TMPDIR LANG TZ'.split(' '),
);

/** Environment of a backend: an allow-list of ours, its own entries, the cookie of this run. */
export function childEnvironment(own: StdioBackendSpec['env'], { env, reaper }: Pick<IoDeps, 'env' | 'reaper'>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const allowed = windows ? INHERITED.has(name.toUpperCase()) : INHERITED.has(name) || name.startsWith('LC_');
    // A value that starts with () is a function some shells would execute (Shellshock).
    if (allowed && value !== undefined && !value.startsWith('()')) result[name] = value;
  }
  for (const [name, value] of Object.entries(own)) result[name] = reveal(value);
  result[RUN_COOKIE] = reaper.cookie;
  return result;
}

function spawnError(error: NodeJS.ErrnoException, spec: StdioBackendSpec, { redact }: IoDeps): OnemcpError {
  const command = redact(String(spec.command));
  const { code } = error;
  let text = `"${spec.name}" cannot be started: ${redact(error.message)}`;
  if (code === 'ENOENT') {
    if (!existsSync(spec.cwd)) text = `working directory not found: ${spec.cwd}`;
    else if (/[/\\]/.test(command) && existsSync(command)) text = `${command} exists, but the program its first line names does not`;
    else text = `command not found: ${command}${commandAdvice(command)}`;
  } else if (code === 'EACCES') {
    text = `command not executable: ${command}; make it executable (chmod +x), or run it with its interpreter`;
  } else if (code === 'EMFILE' || code === 'ENFILE') {
    text = `"${spec.name}" cannot be started: too many open files; raise the limit of the gateway (ulimit -n)`;
  } else if (code === 'EAGAIN' || code === 'ENOMEM') {
    text = `"${spec.name}" cannot be started: the system has no room for another process (${code}); raise its limits (ulimit -u), or free memory`;
  } else if (windows && code === 'EINVAL') {
    text = `command not executable: ${command}; on Windows start it with "command": "cmd", "args": ["/c", "${command}", …]`;
  }
  return new OnemcpError('spawn_failed', text, { server: spec.name, reason: 'spawn-failed', retryable: true }, error);
}

function commandAdvice(command: string): string {
  if (/\s/.test(command)) return '; "command" is one program, its arguments belong in "args"';
  if (command.startsWith('~')) return '; "~" is not expanded, write an absolute path';
  if (windows) return `; install it, or use "command": "cmd", "args": ["/c", "${command}", …]`;
  return '; install it, or give its absolute path';
}

/** Resolves with `done`, or after `ms`. */
function within(ms: number, done: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void done.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const ended = (stream: Readable | null): Promise<void> =>
  new Promise((resolve) => {
    if (!stream) return resolve();
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
