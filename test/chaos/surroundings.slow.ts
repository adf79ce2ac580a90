/** What surrounds the gateway: signals, its configuration, its log, its disk, its descriptors, its clock. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect, fixture, textOf, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { quantile } from './harness/load.ts';
import { cookieOf, filesOf, marked, memoryOf } from './harness/proc.ts';
import { replyTo } from './harness/reply.ts';
import { loadOn, type Surrounded, start, untilConnected } from './surroundings/start.ts';

const good = (more = {}) => fixture('good', {}, more);
/** Never 0, which `kill` would take for all of us. */
async function pidOf(running: Surrounded, name: string): Promise<number> {
  const pid = (await running.stateOf(name))?.pid;
  if (!pid) throw new Error(`${name} has no process`);
  return pid;
}

/** Polls health until told to stop; the median time of its answers, and whatever was not answered. */
function pollHealth({ url }: Surrounded) {
  const times: number[] = [];
  const failures: string[] = [];
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      const began = performance.now();
      await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) }).then(
        async (answer) => {
          await answer.arrayBuffer();
          times.push(performance.now() - began);
        },
        (error: Error) => failures.push(String(error.cause ?? error)),
      );
      await sleep(50);
    }
  })();
  return async () => {
    stopped = true;
    await loop;
    return { median: quantile(times, 0.5), failures };
  };
}

async function expectServed(load: Awaited<ReturnType<typeof loadOn>>): Promise<void> {
  const { failures, sent } = await load.stop();
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(0);
}

describe('signals', () => {
  it('sigterm-idle: exit 0 at once, nothing is left', async () => {
    const running = await start({ servers: { good: good(), other: good() } });
    await untilConnected(running, ['good', 'other']);
    const cookie = cookieOf(await pidOf(running, 'good')) as string;
    const began = performance.now();
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    const took = performance.now() - began;
    console.log(`sigterm-idle: exit after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(5_000);
    expect(marked(cookie)).toEqual([]);
  });

  it(verifies(
    'drain',
    'sigterm-in-flight: with twenty that ignore everything and a call that goes on, over within 15 s, nothing left',
  ), async () => {
    const stubborn = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`deaf${n}`, fixture('ignores-sigterm')]));
    const running = await start({ servers: { good: good(), ...stubborn } });
    await untilConnected(running, ['good', ...Object.keys(stubborn)], 60_000);
    const cookie = cookieOf(await pidOf(running, 'good')) as string;
    expect(marked(cookie).length).toBeGreaterThanOrEqual(21);
    const client = await connect(running.url);
    const call = client.call('good__slow', { ms: 2_000 });
    await until('the call is in flight', async () => (await running.stateOf('good'))?.inFlight === 1);
    const began = performance.now();
    running.child.kill('SIGTERM');
    await until('it is not ready', async () => (await fetch(`${running.url}/health/ready`)).status === 503, 1_000);
    expect(textOf(await call)).toBe('slept 2000 ms');
    expect(await running.exited).toBe(0);
    const took = performance.now() - began;
    console.log(`sigterm-in-flight: exit after ${took.toFixed(0)} ms with 20 stubborn backends`);
    expect(took).toBeLessThan(15_000);
    expect(marked(cookie)).toEqual([]);
  }, 120_000);

  it('sigterm-open-streams: they end, and do not hold the exit up', async () => {
    const running = await start({ servers: { good: good() } });
    await untilConnected(running, ['good']);
    const ended: Promise<void>[] = [];
    for (let n = 0; n < 20; n++) {
      const client = await connect(running.url);
      const [path, headers] = n % 2 ? ['/sse', {}] : ['/mcp', { 'mcp-session-id': client.session, 'mcp-protocol-version': '2025-11-25' }];
      const answer = await fetch(`${running.url}${path}`, { headers: { accept: 'text/event-stream', ...headers } });
      expect(answer.status).toBe(200);
      // A stream that is cut instead of ended rejects.
      ended.push(
        (async () => {
          for await (const _ of answer.body as unknown as AsyncIterable<Uint8Array>);
        })(),
      );
    }
    const began = performance.now();
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    expect(performance.now() - began).toBeLessThan(5_000);
    await Promise.all(ended);
  }, 60_000);

  it(verifies('drain', 'second-sigint: exit within a second, the groups are killed'), async () => {
    const running = await start({ servers: { deaf: fixture('ignores-sigterm'), forks: fixture('forks-children') } });
    await untilConnected(running, ['deaf', 'forks']);
    const cookie = cookieOf(await pidOf(running, 'deaf')) as string;
    const client = await connect(running.url);
    const call = client.call('deaf__slow', { ms: 60_000 }).catch(() => undefined);
    await until('the call is in flight', async () => (await running.stateOf('deaf'))?.inFlight === 1);
    running.child.kill('SIGINT');
    await until('it drains', async () => (await fetch(`${running.url}/health/ready`)).status === 503);
    const began = performance.now();
    running.child.kill('SIGINT');
    expect(await running.exited).toBe(1);
    const took = performance.now() - began;
    console.log(`second-sigint: exit after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(1_000);
    await call;
    await until('nothing is left', () => marked(cookie).length === 0, 3_000);
  });

  it(verifies('kill9-nothing-left', 'kill9-stubborn: nothing is left three seconds later, also while backends start'), async () => {
    const servers = {
      good: good(),
      deaf: fixture('ignores-sigterm'),
      forks: fixture('forks-children'),
      daemon: fixture('daemon-grandchild'),
    };
    const running = await start({ servers: { ...servers, slow: fixture('slow-start'), hangs: fixture('hang-on-init') } });
    await untilConnected(running, Object.keys(servers));
    const cookie = cookieOf(await pidOf(running, 'good')) as string;
    const before = marked(cookie).length;
    running.child.kill('SIGKILL');
    await running.exited;
    const began = performance.now();
    await until('nothing is left', () => marked(cookie).length === 0, 3_000);
    console.log(`kill9-stubborn: ${before} processes gone ${(performance.now() - began).toFixed(0)} ms later`);
  });
});

it('health shows each death and each return of a backend within a second', async () => {
  const running = await start({ servers: { good: good(), odd: good() }, gateway: { restart: { initial: '200ms', failures: 20 } } });
  await untilConnected(running, ['good', 'odd']);
  const load = await loadOn(running);
  const poll = pollHealth(running);
  const shown: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const pid = await pidOf(running, 'odd');
    process.kill(pid, 'SIGKILL');
    const began = performance.now();
    await until('it is down', async () => (await running.stateOf('odd'))?.status !== 'connected', 1_000);
    shown.push(performance.now() - began);
    await until('it is back', async () => ((await running.stateOf('odd'))?.pid ?? pid) !== pid, 8_000);
    // What health calls connected serves.
    expect(await replyTo(load.client, 'odd__echo', { text: 'back' })).toMatchObject({ kind: 'result' });
  }
  await expectServed(load);
  const { median, failures } = await poll();
  console.log(`health shows a death after ${Math.max(...shown).toFixed(0)} ms at most, answers in ${median.toFixed(0)} ms in the median`);
  expect(failures).toEqual([]);
  expect(median).toBeLessThan(100);
}, 60_000);

describe('the configuration, under load', () => {
  const configuration = async (running: Surrounded) =>
    (await running.health()).configuration as { revision: number; lastError?: { issues: string[] } };

  it('config-broken, config-add: nothing changes; the next good one is applied; who is not named keeps its process', async () => {
    const running = await start({ servers: { good: good() } });
    await untilConnected(running, ['good']);
    const pid = await pidOf(running, 'good');
    const load = await loadOn(running);
    const poll = pollHealth(running);
    for (const broken of [
      '{',
      '',
      '{"mcpServers": {"good": {}}}',
      '{"mcpServers": 7}',
      '\0\0\0',
      '['.repeat(10_000),
      '{"mcpServers":{"__proto__":{"command":"x"}}}',
    ]) {
      const { revision } = await configuration(running);
      writeFileSync(running.file, broken);
      await until(
        `${JSON.stringify(broken.slice(0, 30))} is refused`,
        async () => ((await configuration(running)).lastError?.issues ?? []).length > 0,
      );
      expect((await configuration(running)).revision).toBe(revision);
      expect(await pidOf(running, 'good')).toBe(pid);
    }
    running.write({ good: good(), more: good() });
    await untilConnected(running, ['more']);
    expect(await configuration(running)).not.toHaveProperty('lastError');
    expect(await pidOf(running, 'good')).toBe(pid);
    await expectServed(load);
    const { median, failures } = await poll();
    expect(failures).toEqual([]);
    expect(median).toBeLessThan(100);
  }, 60_000);

  it('config-symlink-swap: as a ConfigMap does it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onemcp-configmap-'));
    const version = (n: number, servers: object) => {
      mkdirSync(join(folder, `..v${n}`));
      writeFileSync(join(folder, `..v${n}`, 'mcp.json'), JSON.stringify({ mcpServers: servers }));
    };
    const running = await start({ folder, servers: { good: good() } });
    await untilConnected(running, ['good']);
    const load = await loadOn(running);
    version(1, { good: good() });
    symlinkSync('..v1', join(folder, '..data'));
    unlinkSync(running.file);
    symlinkSync('..data/mcp.json', running.file);
    await sleep(500);
    for (let n = 2; n < 5; n++) {
      version(n, { good: good(), [`v${n}`]: good() });
      symlinkSync(`..v${n}`, join(folder, '..tmp'));
      renameSync(join(folder, '..tmp'), join(folder, '..data'));
      rmSync(join(folder, `..v${n - 1}`), { recursive: true });
      await untilConnected(running, [`v${n}`]);
    }
    await expectServed(load);
  }, 60_000);

  it('config-storm: forty edits in two seconds are applied a few times, the last one for certain', async () => {
    const running = await start({ servers: { good: good() } });
    await untilConnected(running, ['good']);
    const load = await loadOn(running);
    const { revision } = await configuration(running);
    for (let n = 0; n < 40; n++) {
      running.write({ good: good(), last: good({ tags: [`edit-${n}`] }) });
      await sleep(50);
    }
    await until(
      'the last edit is in force',
      async () => ((await running.stateOf('last'))?.tags as string[] | undefined)?.join() === 'edit-39',
    );
    const applied = (await configuration(running)).revision - revision;
    console.log(`config-storm: 40 edits, ${applied} applications`);
    // A busy machine may pause between two edits for longer than reload.quiet.
    expect(applied).toBeLessThanOrEqual(4);
    await expectServed(load);
  }, 60_000);

  it('config-missing: gone while it runs, the gateway goes on, and takes the next one', async () => {
    const running = await start({ servers: { good: good() } });
    await untilConnected(running, ['good']);
    const load = await loadOn(running);
    unlinkSync(running.file);
    await until('it is told', async () => ((await configuration(running)).lastError?.issues ?? []).length > 0);
    running.write({ good: good(), back: good() });
    await untilConnected(running, ['back']);
    running.child.kill('SIGHUP');
    await expectServed(load);
    expect(running.isRunning()).toBe(true);
  }, 60_000);

  it('config-broken-at-start: exit 2 with what is wrong and where', async () => {
    const running = await start({ servers: { good: { comand: 'x' } } });
    expect(await running.exited).toBe(2);
    expect(running.log()).toMatch(/mcp\.json:\d+:\d+ mcpServers\.good/);
    expect(running.log()).not.toMatch(/^\s+at /m);
  });
});

describe('the log', () => {
  it(verifies('log-never-blocks', 'log-pipe-stalled: nobody reads it, the loop goes on and little is kept'), async () => {
    const running = await start(
      { servers: { good: good(), noisy: fixture('noisy-stderr') }, args: ['--log-level', 'debug'] },
      { silent: true },
    );
    running.child.stderr?.pause();
    await untilConnected(running, ['good', 'noisy']);
    const before = memoryOf(running.pid).now;
    const load = await loadOn(running);
    const poll = pollHealth(running);
    // Each kill writes several lines, each refused message another.
    for (let n = 0; n < 10; n++) {
      const pid = (await running.stateOf('noisy'))?.pid;
      if (pid) process.kill(pid, 'SIGKILL');
      await Promise.all(Array.from({ length: 20 }, () => replyTo(load.client, 'noisy__boom')));
      await sleep(200);
    }
    await expectServed(load);
    const { median, failures } = await poll();
    expect(failures).toEqual([]);
    expect(median).toBeLessThan(100);
    const grown = (memoryOf(running.pid).peak - before) / 1024 / 1024;
    console.log(`log-pipe-stalled: +${grown.toFixed(0)} MiB, health ${median.toFixed(0)} ms`);
    expect(grown).toBeLessThan(64);
  }, 60_000);

  it(verifies('log-never-blocks', 'log-pipe-closed: the reader ends, the gateway does not'), async () => {
    const running = await start({ servers: { good: good(), noisy: fixture('noisy-stderr') }, args: ['--log-level', 'debug'] });
    await untilConnected(running, ['good', 'noisy']);
    const load = await loadOn(running);
    running.child.stderr?.destroy();
    for (let n = 0; n < 5; n++) {
      const pid = (await running.stateOf('noisy'))?.pid;
      if (pid) process.kill(pid, 'SIGKILL');
      await sleep(200);
    }
    await untilConnected(running, ['good', 'noisy']);
    await expectServed(load);
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  }, 60_000);
});

describe('what is scarce', () => {
  it('full-disk: the state is kept in memory, and health says that it is not saved', async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'onemcp-full-'));
    const state = join(folder, 'state');
    mkdirSync(state);
    try {
      execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', state], { stdio: 'ignore' });
    } catch {
      console.log('full-disk: SKIPPED, no file system may be mounted here');
      rmSync(folder, { recursive: true });
      return skip();
    }
    onTestFinished(() => {
      execFileSync('/bin/umount', ['-l', state]);
      rmSync(folder, { recursive: true, force: true });
    });
    const fill = () => {
      for (let n = 0; n < 16; n++) {
        try {
          writeFileSync(join(state, `filler-${n}`), Buffer.alloc(4096));
        } catch {
          return;
        }
      }
    };
    fill();
    const running = await start({ servers: { good: good(), many: fixture('many-tools') }, env: { ONEMCP_STATE_DIR: state } });
    await untilConnected(running, ['good', 'many']);
    const load = await loadOn(running);
    await until(
      'health says so',
      async () => {
        const body = await running.health();
        return body.status === 'degraded' && JSON.stringify(body);
      },
      10_000,
    );
    expect(running.log()).toContain('catalog.unsaved');
    await expectServed(load);
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  }, 60_000);

  it('few-files: clients beyond the limit wait, the others are served, and all is well when they have gone', async () => {
    const running = await start({ servers: { good: good() }, limit: 'ulimit -n 64' });
    await untilConnected(running, ['good']);
    const cpu = cpuOf(running.pid);
    const load = await loadOn(running);
    const sockets: Socket[] = [];
    for (let n = 0; n < 200; n++) sockets.push(connectSocket(running.port, '127.0.0.1').on('error', () => {}));
    await sleep(3_000);
    expect(running.isRunning(), running.log()).toBe(true);
    console.log(`few-files: ${filesOf(running.pid)} of 64 files are open, ${cpuOf(running.pid) - cpu} ms of CPU in 3 s`);
    // Beside the calls it may not spin.
    expect(cpuOf(running.pid) - cpu).toBeLessThan(2_000);
    const { sent, failures } = await load.stop();
    console.log(`few-files: ${sent} calls on a connection that was there before, ${failures.length} failed`);
    expect(failures).toEqual([]);
    for (const socket of sockets) socket.destroy();
    await until(
      'it is served again',
      async () => (await fetch(`${running.url}/health/live`).catch(() => undefined))?.status === 200,
      5_000,
    );
    // A backend that dies meanwhile comes back.
    process.kill(await pidOf(running, 'good'), 'SIGKILL');
    await sleep(100);
    await untilConnected(running, ['good']);
    const client = await connect(running.url);
    expect(textOf(await client.call('good__echo', { text: 'again' }))).toContain('again');
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  }, 60_000);

  /** Kills a backend while no file can be opened; gives the log once it is back. */
  async function diedWithoutFiles(): Promise<string> {
    const running = await start({ servers: { good: good() }, limit: 'ulimit -n 64', gateway: { restart: { initial: '200ms' } } });
    await untilConnected(running, ['good']);
    const pid = await pidOf(running, 'good');
    const sockets: Socket[] = [];
    for (let n = 0; n < 100; n++) sockets.push(connectSocket(running.port, '127.0.0.1').on('error', () => {}));
    await sleep(500);
    process.kill(pid, 'SIGKILL');
    await until('its start has failed', () => running.log().includes('cannot be started'), 5_000);
    expect(running.isRunning(), running.log()).toBe(true);
    for (const socket of sockets) socket.destroy();
    await untilConnected(running, ['good'], 20_000);
    return running.log();
  }

  it('few-files: a backend that cannot be started for want of files is tried again, and comes back', async () => {
    expect(await diedWithoutFiles()).toMatch(/backend\.retrying.*failure 2/);
  }, 60_000);

  it('few-files: and the error says what to do', async () => {
    expect(await diedWithoutFiles()).toMatch(/cannot be started:[^"]*(too many open files|ulimit)/i);
  }, 60_000);

  it(verifies('port-in-use', 'port-in-use: exit 1 within two seconds, with one sentence'), async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => blocker.once('listening', done));
    const { port } = blocker.address() as { port: number };
    const began = performance.now();
    const running = await start({ servers: { good: good() }, args: ['--port', String(port)] });
    expect(await running.exited).toBe(1);
    const took = performance.now() - began;
    blocker.close();
    expect(took).toBeLessThan(2_000);
    expect(running.log().trim().split('\n')).toHaveLength(1);
    expect(running.log()).toContain(`port ${port}`);
  });
});

describe('the clock', () => {
  it(verifies('clock-jump', 'clock-jump: three days to and fro end no session, wake nobody early and delay no restart'), async () => {
    const shift = resolve(import.meta.dirname, 'surroundings/shift.mjs');
    const running = await start({
      servers: { good: good(), odd: good() },
      nodeArgs: ['--import', shift],
      gateway: { restart: { initial: '300ms' } },
    });
    await untilConnected(running, ['good', 'odd']);
    const client = await connect(running.url);
    const load = await loadOn(running);
    const days: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const slow = client.call('good__slow', { ms: 800 });
      running.child.kill('SIGUSR2');
      const began = performance.now();
      await until('the clock jumped', async () => {
        const now = Date.parse(String((await running.health()).timestamp));
        days.push(Math.round((now - Date.now()) / 86_400_000));
        return Math.abs(days.at(-1) as number) === 3;
      });
      expect(textOf(await slow)).toBe('slept 800 ms');
      process.kill(await pidOf(running, 'odd'), 'SIGKILL');
      await until('it died', async () => (await running.stateOf('odd'))?.status !== 'connected');
      await untilConnected(running, ['odd'], 6_000);
      expect(performance.now() - began).toBeLessThan(9_000);
      expect(textOf(await client.call('odd__echo', { text: 'same session' }))).toContain('same session');
    }
    expect(new Set(days.filter((day) => day !== 0))).toEqual(new Set([3, -3]));
    await expectServed(load);
  }, 60_000);
});

/** CPU time of a process so far, milliseconds. */
function cpuOf(pid: number): number {
  const stat = execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'latin1' });
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
