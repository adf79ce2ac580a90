import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createServiceManager } from '../../src/io/systemd.ts';
import { until } from '../http/serverKit.ts';

/** A `systemd-notify` that writes down what it is told; with `code` it fails. */
function fakeNotify(code = 0) {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-notify-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const calls = join(folder, 'calls');
  writeFileSync(calls, '');
  const script = `#!/bin/sh\nprintf '%s' "$NOTIFY_SOCKET" >> ${calls}\nfor word; do printf '|%s' "$word" >> ${calls}; done\necho >> ${calls}\nexit ${code}\n`;
  writeFileSync(join(folder, 'systemd-notify'), script);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  return { PATH: `${folder}:${process.env.PATH}`, told: () => readFileSync(calls, 'utf8').trimEnd().split('\n').filter(Boolean) };
}

const logged = () => {
  const lines: unknown[][] = [];
  return { lines, log: (...line: unknown[]) => void lines.push(line) };
};

it('says one thing after the other, to the socket it was given', async () => {
  const { PATH, told } = fakeNotify();
  const { lines, log } = logged();
  const manager = createServiceManager({ env: { NOTIFY_SOCKET: '/run/x', PATH, TOKEN: 'secret' }, isAlive: async () => true, log });
  manager.ready('serving 2 servers');
  manager.reloading();
  manager.ready('serving 3 servers');
  manager.stopping();
  await manager.close();
  expect(told()).toEqual([
    '/run/x|READY=1|STATUS=serving 2 servers',
    expect.stringMatching(/^\/run\/x\|RELOADING=1\|MONOTONIC_USEC=\d+\|STATUS=reading the configuration again$/),
    '/run/x|READY=1|STATUS=serving 3 servers',
    '/run/x|STOPPING=1|STATUS=draining: calls in flight may finish',
  ]);
  expect(lines).toEqual([]);
});

it('the watchdog is fed at half its time, only while the gateway is alive, and no longer after the end', async () => {
  const { PATH, told } = fakeNotify();
  let alive = true;
  let asked = 0;
  const isAlive = async () => {
    asked++;
    return alive;
  };
  const env = { NOTIFY_SOCKET: '/run/x', PATH, WATCHDOG_USEC: '100000', WATCHDOG_PID: String(process.pid) };
  const manager = createServiceManager({ env, isAlive, log: () => {} });
  await until(() => told().length >= 3);
  expect(new Set(told())).toEqual(new Set(['/run/x|WATCHDOG=1']));
  alive = false;
  const before = asked;
  await until(() => asked >= before + 3);
  // One may have been on its way.
  const beats = told().length;
  const later = asked;
  await until(() => asked >= later + 3);
  expect(told().length).toBe(beats);
  alive = true;
  await until(() => told().length > beats);
  await manager.close();
  const over = told().length;
  const never = asked;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect([told().length, asked]).toEqual([over, never]);
});

it('a check that fails is no sign of life', async () => {
  const { PATH, told } = fakeNotify();
  let asked = 0;
  const isAlive = () => {
    asked++;
    return Promise.reject(new Error('stuck'));
  };
  const manager = createServiceManager({ env: { NOTIFY_SOCKET: '/run/x', PATH, WATCHDOG_USEC: '40000' }, isAlive, log: () => {} });
  await until(() => asked >= 3);
  await manager.close();
  expect(told()).toEqual([]);
});

it.each([
  ['there is none', {}],
  ['it is for another process', { WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' }],
  ['its time is no number', { WATCHDOG_USEC: 'soon' }],
])('no watchdog is fed when %s', async (_, more) => {
  const { PATH, told } = fakeNotify();
  const manager = createServiceManager({ env: { NOTIFY_SOCKET: '/run/x', PATH, ...more }, isAlive: async () => true, log: () => {} });
  await new Promise((resolve) => setTimeout(resolve, 150));
  await manager.close();
  expect(told()).toEqual([]);
});

it.each([
  ['is missing', '/nowhere', /ENOENT/],
  ['fails', fakeNotifyPath, /exit code 3/],
])('a systemd-notify that %s is said once, and harms nobody', async (_, path, reason) => {
  const { lines, log } = logged();
  const PATH = typeof path === 'string' ? path : path();
  const manager = createServiceManager({ env: { NOTIFY_SOCKET: '/run/x', PATH }, isAlive: async () => true, log });
  manager.ready('a');
  manager.stopping();
  await manager.close();
  expect(lines).toEqual([['warn', 'systemd.notify', { message: expect.stringMatching(reason) }]]);
});

function fakeNotifyPath(): string {
  return fakeNotify(3).PATH;
}
