import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Log, Reaper } from './deps.ts';

/** Name of the environment variable that marks every process of one run of the gateway. */
export const RUN_COOKIE = 'ONEMCP_RUN';

/**
 * Arguments: the cookie, then groups known already. They are there from the first moment, even if the gateway is killed
 * before it can write a line. Then reads `+pgid`, `-pgid`, `q` line by line; the end of the pipe means that the gateway is
 * gone, however it went. Only builtins, `sleep`, `grep` and (where there is no /proc) `ps` are used; `ps` shows arguments
 * too, so this shell must not take itself for a backend.
 */
const SCRIPT = `
trap '' TERM INT HUP QUIT PIPE
cookie=$1 wait=0.5
shift
groups=" $* "
while IFS= read -r line; do
  value=\${line#?}
  case $line in
    +[1-9]*) groups="$groups$value " ;;
    -[1-9]*) case $groups in *" $value "*) groups="\${groups%%" $value "*} \${groups#*" $value "}" ;; esac ;;
    q) wait=0; break ;;
  esac
done
[ "$wait" = 0 ] || sleep "$wait"
for group in $groups; do kill -KILL "-$group"; done
[ -n "$cookie" ] || exit 0
mark='${RUN_COOKIE}='$cookie
marked() {
  if [ -r /proc/self/environ ]; then
    grep -ls -e "$mark" /proc/[0-9]*/environ
  else
    ps axeww -o pid= -o command= | while read -r pid rest; do
      case $rest in *onemcp-reaper*) ;; *"$mark"*) echo "/proc/$pid/environ" ;; esac
    done
  fi
}
round=0
while [ $round -lt 10 ]; do
  found=$(marked)
  [ -n "$found" ] || exit 0
  for file in $found; do
    pid=\${file#/proc/}
    kill -KILL "\${pid%/environ}"
  done
  round=$((round + 1))
  sleep 0.1
done
`;

const RESTARTS = 5;
const PATH = '/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/run/current-system/sw/bin';

/**
 * Keeps a tiny shell beside the gateway that kills every registered process group, and every process that carries the
 * cookie, once the gateway is gone. It is started at once, so no backend ever runs without it, and never keeps the event
 * loop alive. On Windows libuv's job object does this, and nothing is started.
 */
export function createReaper({ cookie, log }: { readonly cookie: string; readonly log: Log }): Reaper {
  const groups = new Set<number>();
  let shell: ChildProcess | undefined;
  let deaths = 0;
  let closed = process.platform === 'win32';

  const tell = (line: string) => {
    if (shell?.stdin?.writable) shell.stdin.write(`${line}\n`);
  };

  const start = () => {
    // A working directory, environment or stream of ours would be held, or killed, by it.
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'onemcp-reaper', cookie, ...[...groups].map(String)], {
      cwd: '/',
      env: { PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    let gone = false;
    const onGone = (reason: string) => {
      if (gone) return;
      gone = true;
      if (closed) return;
      shell = undefined;
      const again = ++deaths <= RESTARTS;
      log('warn', 'reaper.died', {
        reason,
        text: again ? 'started again' : 'not started again: backends may outlive a gateway that is killed',
      });
      if (again) start();
    };
    child.on('error', (error) => onGone(error.message));
    child.on('exit', (code, signal) => onGone(signal ?? `exit code ${code}`));
    child.stdin?.on('error', () => {});
    child.unref();
    (child.stdin as { unref?: () => void } | null)?.unref?.();
    shell = child;
  };
  if (!closed) start();

  return {
    cookie,
    add(pgid) {
      // kill(-1) would be everybody.
      if (closed || !Number.isInteger(pgid) || pgid <= 1) return;
      groups.add(pgid);
      tell(`+${pgid}`);
    },
    remove(pgid) {
      if (groups.delete(pgid)) tell(`-${pgid}`);
    },
    killAll() {
      for (const pgid of groups) signalGroup(pgid, 'SIGKILL');
    },
    close() {
      if (closed) return;
      closed = true;
      if (groups.size === 0) tell('q');
      shell?.stdin?.end();
    },
  };
}

/** Sends a signal to every process of a group; one that is gone is no error. */
export function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal);
  } catch {
    // ESRCH: gone. EPERM: not ours any more.
  }
}

/** Whether a process group has members, zombies included. */
export function groupExists(pgid: number): boolean {
  try {
    process.kill(-pgid, 0);
    return true;
  } catch (error) {
    // macOS answers EPERM for a group of zombies.
    return (error as NodeJS.ErrnoException).code === 'EPERM' && process.platform !== 'darwin';
  }
}

/**
 * Whether all members of a group are zombies: they stay where PID 1 does not reap orphans (Node in a container), and
 * nothing can be done about them here. Reads all of /proc (some milliseconds); false where there is no /proc.
 */
export function groupIsDead(pgid: number): boolean {
  if (process.platform !== 'linux') return false;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      // pid (name) state ppid pgrp …: the name may contain spaces and brackets.
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
      if (Number(group) === pgid && state !== 'Z' && state !== 'X') return false;
    } catch {
      // Ended meanwhile.
    }
  }
  return true;
}
