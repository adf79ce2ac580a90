import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createReaper, groupExists, groupIsDead } from '../../src/io/reaper.ts';
import { closeAll, createLog, createMark, eventually, lives, marked, onClose } from './stdioKit.ts';

afterEach(closeAll);

const hostFile = fileURLToPath(new URL('../fixtures/host-stdio.ts', import.meta.url));

/** Starts the host program with some backends and waits until they are initialised. */
async function startHost(backends: string[], mode = 'wait') {
  const mark = createMark();
  const host = spawn(process.execPath, ['--import', 'tsx', hostFile, ...backends], {
    env: { ...process.env, MARK: mark, MODE: mode },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onClose(() => void host.kill('SIGKILL'));
  const exited = once(host, 'exit');
  await once(host.stdout as NodeJS.ReadableStream, 'data');
  const backendPids = () => marked(mark).filter((pid) => pid !== host.pid);
  return { host, exited, backendPids, pids: backendPids(), reaperPid: shellsOf(host)[0] as number };
}

/** Children of a process that run /bin/sh. */
function shellsOf({ pid }: { pid?: number }): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
      return Number(parent) === pid && readFileSync(`/proc/${entry}/cmdline`, 'latin1').includes('onemcp-reaper') ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}

describe.runIf(process.platform === 'linux')('no process outlives the gateway', () => {
  const stubborn = ['ignores-sigterm', 'forks-children', 'daemon-grandchild'];

  it.each([...stubborn.map((name) => [name]), ['good'], stubborn])('killed with SIGKILL: %s', async (...backends) => {
    const { host, backendPids, pids, reaperPid } = await startHost(backends);
    expect(pids.length).toBeGreaterThanOrEqual(backends.length);
    host.kill('SIGKILL');
    await eventually(() => backendPids().length === 0, 'all backend processes gone', 3_000);
    await eventually(() => !lives(reaperPid), 'the reaper gone', 3_000);
  });

  it.each(['close', 'exit', 'throw'])('which ends with: %s', async (mode) => {
    const { exited, backendPids, reaperPid } = await startHost(stubborn, mode);
    await exited;
    await eventually(() => backendPids().length === 0, 'all backend processes gone', 3_000);
    await eventually(() => !lives(reaperPid), 'the reaper gone', 3_000);
  });

  it('when the signals of a terminal go to the reaper too', async () => {
    const { host, backendPids, reaperPid } = await startHost(['ignores-sigterm']);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(reaperPid, signal);
    host.kill('SIGKILL');
    await eventually(() => backendPids().length === 0, 'all backend processes gone', 3_000);
  });

  it('when the reaper was killed before', async () => {
    const { host, backendPids, reaperPid } = await startHost(stubborn);
    process.kill(reaperPid, 'SIGKILL');
    await eventually(() => shellsOf(host).some((pid) => pid !== reaperPid), 'another reaper');
    host.kill('SIGKILL');
    await eventually(() => backendPids().length === 0, 'all backend processes gone', 3_000);
  });
});

describe.runIf(process.platform === 'linux')('reaper', () => {
  const create = () => {
    const logged = createLog();
    const before = shellsOf(process);
    const reaper = createReaper({ cookie: randomUUID(), log: logged.log });
    onClose(() => reaper.close());
    const pid = shellsOf(process).find((shell) => !before.includes(shell));
    return { reaper, logged, pid: pid as number };
  };
  const sleeper = async (env: Record<string, string> = {}): Promise<ChildProcess> => {
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, ...env } });
    onClose(() => void child.kill('SIGKILL'));
    await once(child, 'spawn');
    return child;
  };

  it('holds nothing of ours: no environment, no directory, no file but its pipe', async () => {
    const { reaper, pid } = create();
    await eventually(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('onemcp-reaper'), 'its program');
    // It knows the cookie from its first moment, but what it looks for is an environment: it never finds itself.
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')).toContain(reaper.cookie);
    expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain(reaper.cookie);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    expect(readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) < 10)).toEqual(['0', '1', '2']);
  });

  it('leaves at once when it is closed with nothing registered', async () => {
    const { reaper, pid } = create();
    const child = await sleeper();
    reaper.add(child.pid as number);
    reaper.remove(child.pid as number);
    reaper.close();
    await eventually(() => !lives(pid), 'the end of the reaper', 2_000);
    expect(lives(child.pid as number)).toBe(true);
  });

  it('kills what is still registered when it is closed', async () => {
    const { reaper } = create();
    const [first, second, other] = [await sleeper(), await sleeper(), await sleeper()];
    reaper.add(first.pid as number);
    reaper.add(other.pid as number);
    reaper.add(second.pid as number);
    reaper.remove(other.pid as number);
    reaper.close();
    await eventually(() => !lives(first.pid as number) && !lives(second.pid as number), 'the end of both', 3_000);
    expect(lives(other.pid as number)).toBe(true);
  });

  it('kills what carries the cookie, registered or not', async () => {
    const { reaper, pid } = create();
    const child = await sleeper({ ONEMCP_RUN: reaper.cookie });
    const other = await sleeper({ ONEMCP_RUN: randomUUID() });
    reaper.close();
    await eventually(() => !lives(child.pid as number), 'its end', 3_000);
    await eventually(() => !lives(pid), 'the end of the reaper', 3_000);
    expect(lives(other.pid as number)).toBe(true);
  });

  it('kills all registered groups at once', async () => {
    const { reaper } = create();
    const child = await sleeper();
    const exited = once(child, 'exit');
    reaper.add(child.pid as number);
    reaper.killAll();
    expect((await exited)[1]).toBe('SIGKILL');
    reaper.remove(child.pid as number);
  });

  it('never registers a group that would be everybody', () => {
    const { reaper } = create();
    for (const pgid of [0, 1, -1, 1.5, Number.NaN]) reaper.add(pgid);
    reaper.killAll();
  });

  it('starts again when it dies, with what was registered, and says so', async () => {
    const { reaper, logged, pid } = create();
    const child = await sleeper();
    reaper.add(child.pid as number);
    process.kill(pid, 'SIGKILL');
    await eventually(() => logged.of('reaper.died').length === 1, 'the warning');
    reaper.close();
    await eventually(() => !lives(child.pid as number), 'the end of the child', 3_000);
  });

  it('gives up after some deaths', async () => {
    const { logged, pid } = create();
    for (let deaths = 1, victim = pid; deaths <= 6; deaths++) {
      process.kill(victim, 'SIGKILL');
      await eventually(() => logged.of('reaper.died').length === deaths, 'the warning');
      victim = shellsOf(process).find((shell) => shell > victim && lives(shell)) ?? victim;
    }
    expect(logged.of('reaper.died').at(-1)?.fields.text).toContain('not started again');
  });
});

describe.runIf(process.platform === 'linux')('a process group', () => {
  it('of zombies exists, but is dead', async () => {
    // The shell becomes a program that never waits for its child, which leads a session of its own and ends only then: a
    // shell would still have waited.
    const child = 'until grep -q sleep "/proc/$1/comm"; do :; done';
    const parent = spawn('/bin/sh', ['-c', `setsid sh -c '${child}' sh $$ & echo $!; exec sleep 60`], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onClose(() => void parent.kill('SIGKILL'));
    const [line] = await once(parent.stdout as NodeJS.ReadableStream, 'data');
    const zombie = Number(String(line));
    await eventually(() => groupIsDead(zombie) && groupExists(zombie), 'the zombie');
    expect(groupIsDead(parent.pid as number)).toBe(false);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await eventually(() => !groupExists(zombie) && !groupExists(parent.pid as number), 'both gone');
  });
});
