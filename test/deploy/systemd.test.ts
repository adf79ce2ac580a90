import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inUnit } from '../../src/config/units.ts';
import { LIMITS } from '../../src/limits.ts';
import { fixture, MAIN, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { read } from './layout.ts';

const UNIT = 'deploy/systemd/onemcp.service';

/** The settings of a unit: `Section.Key` → values. */
const unit = new Map<string, string[]>();
let section = '';
for (const line of read(UNIT).split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
  if (name) section = name;
  else {
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (!key) throw new Error(`not a setting: ${line}`);
    unit.set(`${section}.${key}`, [...(unit.get(`${section}.${key}`) ?? []), value]);
  }
}
const setting = (name: string) => unit.get(name)?.[0];
const seconds = (name: string) => Number(setting(name)) * 1_000;

function folderFor(): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-systemd-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the program as the unit does, but for the paths; `stderr` is its log. */
function startUnit(folder: string, env: Readonly<Record<string, string | undefined>>) {
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { good: fixture('good') } }));
  const [, , , ...args] = (setting('Service.ExecStart') ?? '').split(' ');
  const here = [...args].map((word) => (word === '/etc/onemcp/mcp.json' ? join(folder, 'mcp.json') : word));
  const child = spawn(process.execPath, [MAIN, 'run', ...here, '--port', '0'], {
    cwd: '/',
    env: { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(folder, 'state'), HOME: folder, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  return { child, log: () => log, exited: new Promise<number | null>((done) => child.once('exit', done)) };
}

const reload = (child: ChildProcess) => {
  // ExecReload=/bin/kill -HUP $MAINPID
  spawnSync('/bin/kill', ['-HUP', String(child.pid)]);
};

describe('the unit', () => {
  it('leaves time for a shutdown, ends the gateway first, and does not start again what is wrong', () => {
    expect(seconds('Service.TimeoutStopSec')).toBeGreaterThan(LIMITS.shutdownTimeout.default + 5_000);
    expect(setting('Service.KillMode')).toBe('mixed');
    expect(setting('Service.Restart')).toBe('on-failure');
    expect(setting('Service.RestartPreventExitStatus')).toBe('2');
    expect(setting('Service.ExecReload')).toBe('/bin/kill -HUP $MAINPID');
    expect(setting('Service.EnvironmentFile')).toBe('-/etc/onemcp/onemcp.env');
    expect(inUnit(`${setting('Service.WatchdogSec')}s`, 'ms')).toBe(30_000);
  });

  it('lets systemd-notify speak for the gateway', () => {
    expect([setting('Service.Type'), setting('Service.NotifyAccess')]).toEqual(['notify', 'all']);
  });

  it('runs without rights', () => {
    for (const [name, value] of Object.entries({
      User: 'onemcp',
      NoNewPrivileges: 'yes',
      CapabilityBoundingSet: '',
      ProtectSystem: 'strict',
      ProtectHome: 'yes',
      PrivateTmp: 'yes',
      RestrictSUIDSGID: 'yes',
      SystemCallFilter: '@system-service',
      StateDirectory: 'onemcp',
    }))
      expect([name, setting(`Service.${name}`)]).toEqual([name, value]);
    // It would kill the compiler of Node.js.
    expect(unit.has('Service.MemoryDenyWriteExecute')).toBe(false);
    expect(setting('Service.Environment')).toContain('ONEMCP_STATE_DIR=/var/lib/onemcp');
  });

  const analyze = spawnSync('systemd-analyze', ['--version'], { stdio: 'ignore' }).status === 0;
  it.skipIf(!analyze)('has no flaw that systemd itself would see', () => {
    const folder = folderFor();
    const [program = '', main = ''] = (setting('Service.ExecStart') ?? '').split(' ');
    const text = read(UNIT).replace(program, process.execPath).replace(main, MAIN);
    writeFileSync(join(folder, 'onemcp.service'), text);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(folder, 'onemcp.service')], {
      encoding: 'utf8',
    });
    const about = (stdout + stderr).split('\n').filter((line) => line.includes('onemcp.service'));
    expect(about).toEqual([]);
    expect(status).toBe(0);
  });
});

it(verifies('systemd', 'tells that it is ready, reloads, beats and stops, and no server learns of the socket'), async () => {
  const folder = folderFor();
  const calls = join(folder, 'calls');
  const script = `#!/bin/sh\nprintf '%s|' "$NOTIFY_SOCKET" "$@" >> ${calls}\necho >> ${calls}\n`;
  writeFileSync(join(folder, 'systemd-notify'), script);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const told = () => (existsSync(calls) ? readFileSync(calls, 'utf8') : '');
  const env = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '300000' };
  const { child, log, exited } = startUnit(folder, env);

  await until('it is ready', () => told().includes('/run/systemd/notify|READY=1|STATUS=serving 1 servers|\n'));
  expect(log()).toContain('gateway.listening');
  await until('it beats', () => told().split('|WATCHDOG=1|').length > 3);

  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { good: fixture('good'), two: fixture('good') } }));
  reload(child);
  await until('it has read its configuration again', () => /RELOADING=1\|MONOTONIC_USEC=\d+.*[\s\S]*STATUS=serving 2 servers/.test(told()));

  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(told()).toMatch(/STOPPING=1/);
}, 60_000);

it('a gateway whose event loop hangs gives no beat', async () => {
  const folder = folderFor();
  const calls = join(folder, 'calls');
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${calls}\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const beats = () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('WATCHDOG=1').length - 1 : 0);
  const env = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '200000' };
  const { child, exited } = startUnit(folder, env);
  await until('it beats', () => beats() > 1);
  // Nothing of it runs any more.
  child.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = beats();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(beats()).toBe(before);
  child.kill('SIGCONT');
  await until('it beats again', () => beats() > before);
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});

const real = spawnSync('/bin/sh', ['-c', 'command -v systemd-notify && command -v python3'], { stdio: 'ignore' }).status === 0;
/** Receives datagrams and prints them; whatever file descriptors come along are closed, which is what systemd-notify waits for. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(65536).decode().replace('\\n', '|'), flush=True)
`;

it.skipIf(!real)(
  verifies('systemd', 'the real systemd-notify carries it over a real socket'),
  async () => {
    const folder = folderFor();
    const socket = join(folder, 'notify');
    const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void receiver.kill('SIGKILL'));
    let got = '';
    receiver.stdout.on('data', (chunk) => {
      got += chunk;
    });
    await until('the socket is there', () => got.includes('bound'));
    const { child, log, exited } = startUnit(folder, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' });
    await until('it is ready', () => /READY=1.*STATUS=serving 1 servers/.test(got));
    await until('it beats', () => got.includes('WATCHDOG=1'));
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    await until('the end has come in', () => got.includes('STOPPING=1'));
    expect(log()).not.toContain('systemd.notify');
  },
  60_000,
);

it('without systemd nothing is started for it', async () => {
  const folder = folderFor();
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\ntouch ${join(folder, 'called')}\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const { child, log, exited } = startUnit(folder, {
    PATH: `${folder}:${dirname(process.execPath)}:${process.env.PATH}`,
    WATCHDOG_USEC: '100000',
  });
  await until('it serves', () => log().includes('gateway.listening'));
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(existsSync(join(folder, 'called'))).toBe(false);
});
