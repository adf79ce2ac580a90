/** The judge of the chaos suite must be able to say no: one bad measurement at a time, and exactly its column is bad. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../e2e/gateway.ts';
import { pick } from './harness/fault.ts';
import {
  BARS,
  COLUMNS,
  type Column,
  type Evidence,
  healthComplaints,
  judge,
  type Reply,
  replyComplaints,
  survived,
} from './harness/judge.ts';
import { p99Of, pool, quantile, startLoad } from './harness/load.ts';
import { cookieOf, filesOf, marked, memoryOf, zombiesOf } from './harness/proc.ts';
import type { HealthSample } from './harness/watch.ts';

const sample = (changed: Partial<HealthSample> = {}, odd = 'retrying', status = 'degraded'): HealthSample => ({
  took: 5,
  status: 200,
  live: 200,
  body: {
    status,
    servers: {
      details: [
        { name: 'odd', status: odd },
        { name: 'good', status: 'connected' },
      ],
    },
  },
  ...changed,
});

const fine: Evidence = {
  load: { sent: 100, latencies: Array.from({ length: 100 }, () => 5), failures: [] },
  control: 4,
  complaints: [],
  ended: undefined,
  watched: { health: [sample(), sample({}, 'connected', 'healthy')], zombies: [] },
  memory: { before: 100e6, peak: 110e6 },
  ending: { signal: 'SIGTERM', code: 0, took: 100, left: [] },
};

/** All columns that are bad. */
const bad = (changed: Partial<Evidence>): Column[] => {
  const verdict = judge({ ...fine, ...changed });
  return COLUMNS.filter((column) => verdict[column].length > 0);
};
const latencies = (slow: number, ms: number) => ({
  ...fine.load,
  latencies: [...Array.from({ length: 100 - slow }, () => 5), ...Array.from({ length: slow }, () => ms)],
});

it('says yes to a run without a flaw', () => {
  expect(bad({})).toEqual([]);
  expect(survived(judge(fine))).toBe(true);
  expect(survived(judge({ ...fine, ended: 1 }))).toBe(false);
});

describe('each column says no', () => {
  it.each<[string, Column, Partial<Evidence>]>([
    ['one call failed', 'served', { load: { ...fine.load, failures: ['no'] } }],
    ['no call was made', 'served', { load: { sent: 0, latencies: [], failures: [] } }],
    ['p99 over five times the control', 'served', { load: latencies(2, 61), control: 12 }],
    ['p99 over five time slices, however fast the control', 'served', { load: latencies(2, 51) }],
    ['p99 over a second, whatever the control', 'served', { load: latencies(2, 1001), control: 900 }],
    ['p99 over a second, without a control', 'served', { load: latencies(2, 1001), control: undefined }],
    ['a step complains of the service', 'served', { complaints: [['served', 'late']] }],
    ['a wrong answer', 'answer', { complaints: [['answer', 'a result']] }],
    ['not usable again', 'recovery', { complaints: [['recovery', 'still down']] }],
    ['the gateway ended', 'alive', { ended: 1 }],
    ['the gateway was killed', 'alive', { ended: 'SIGSEGV' }],
    ['health was never looked at', 'alive', { watched: { health: [], zombies: [] } }],
    ['health is late', 'alive', { watched: { health: [sample({ took: BARS.health + 1 })], zombies: [] } }],
    ['live is not 200', 'alive', { watched: { health: [sample({ live: 503 })], zombies: [] } }],
    ['memory grew', 'memory', { memory: { before: 100e6, peak: 100e6 + BARS.memory + 1 } }],
    ['memory was not measured', 'memory', { memory: { before: 0, peak: 0 } }],
    ['exit code 1', 'clean', { ending: { ...fine.ending, code: 1 } }],
    ['killed by a signal', 'clean', { ending: { ...fine.ending, code: null } }],
    ['it took too long to end', 'clean', { ending: { ...fine.ending, took: BARS.exit + 1 } }],
    ['a process is left', 'clean', { ending: { ...fine.ending, left: [42] } }],
    ['a process is left after kill -9', 'clean', { ending: { ...fine.ending, signal: 'SIGKILL', code: null, left: [42] } }],
    ['a zombie', 'clean', { watched: { ...fine.watched, zombies: [42] } }],
  ])('%s', (_name, column, changed) => expect(bad(changed)).toEqual([column]));

  it('and not to what is allowed', () => {
    expect(bad({ load: latencies(1, 500) })).toEqual([]);
    expect(bad({ load: latencies(2, 60), control: 12 })).toEqual([]);
    expect(bad({ load: latencies(2, 50) })).toEqual([]);
    expect(bad({ load: latencies(2, 900), control: undefined })).toEqual([]);
    expect(bad({ ending: { signal: 'SIGKILL', code: null, took: 5, left: [] } })).toEqual([]);
  });
});

it('health has to agree with itself', () => {
  expect(healthComplaints(sample())).toEqual([]);
  expect(healthComplaints(sample({}, 'retrying', 'healthy'))).toHaveLength(1);
  expect(healthComplaints(sample({}, 'connected', 'degraded'))).toHaveLength(1);
  expect(healthComplaints(sample({ status: 503 }, 'retrying', 'unhealthy'))).toHaveLength(2);
  expect(healthComplaints({ took: 10_000, status: 0, live: 0, error: 'timeout' })).toHaveLength(1);
  const down = sample();
  const body = { ...down.body!, servers: { details: [{ name: 'good', status: 'retrying' }] } };
  expect(healthComplaints({ ...down, body })).toEqual(['it says good is retrying']);
});

it('a reply has to come in time, be of the right kind, and name the backend and the cause', () => {
  const reply = (changed: Partial<Reply> = {}): Reply => ({ kind: 'error', text: 'Server "odd" exited with code 3', took: 10, ...changed });
  const expected = { gives: 'error', says: /code 3/, within: 100 } as const;
  expect(replyComplaints(reply(), expected)).toEqual([]);
  expect(replyComplaints(reply({ took: 101 }), expected)).toHaveLength(1);
  expect(replyComplaints(reply({ kind: 'result' }), expected)).toHaveLength(1);
  expect(replyComplaints(reply({ kind: 'broken' }), { ...expected, gives: 'either' })).toHaveLength(1);
  expect(replyComplaints(reply({ text: 'exited with code 3' }), expected)).toHaveLength(1);
  expect(replyComplaints(reply({ text: 'Server "odd" is odd' }), expected)).toHaveLength(1);
  expect(replyComplaints(reply({ text: 'exited with code 3' }), { gives: 'either', within: 100 })).toHaveLength(1);
  expect(replyComplaints(reply(), { gives: 'result', within: 100 })).toHaveLength(1);
  expect(replyComplaints(reply({ text: 'login failed' }), { gives: 'error', within: 100, relayed: true })).toEqual([]);
});

describe('the load', () => {
  it('finds wrong, refused and missing answers, and does not wait for slow ones', async () => {
    let calls = 0;
    const load = startLoad((nonce) => {
      calls++;
      if (calls === 1) return Promise.resolve('another answer');
      if (calls === 2) return Promise.reject(new Error('refused'));
      if (calls === 3) return new Promise(() => {});
      return Promise.resolve(nonce);
    }, 100);
    await until('ten calls were made', () => calls >= 10);
    const { sent, latencies: answered, failures } = await load.stop(50);
    expect(sent).toBe(calls);
    expect(answered).toHaveLength(calls - 3);
    expect(failures).toEqual([expect.stringContaining('another answer'), 'refused', expect.stringContaining('not answered')]);
  });

  it('counts from the moment a call was due, also when it left late', async () => {
    const load = startLoad(async (nonce) => nonce, 100);
    const end = performance.now() + 100;
    while (performance.now() < end); // nothing leaves meanwhile
    await new Promise((resolve) => setTimeout(resolve, 1));
    const { latencies: answered, sent } = await load.stop();
    expect(sent).toBeGreaterThanOrEqual(10);
    expect(Math.max(...answered)).toBeGreaterThan(50);
  });

  it('takes the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred.slice(0, 60), 0.99)).toBe(60);
    expect(quantile([], 0.99)).toBe(Number.POSITIVE_INFINITY);
    const half = { sent: 50, latencies: hundred.slice(0, 50), failures: [] };
    expect(p99Of(half)).toBe(50);
    expect(p99Of(pool(half, { sent: 50, latencies: hundred.slice(50), failures: [] }))).toBe(99);
    expect(pool(half, { ...half, failures: ['no'] })).toMatchObject({ sent: 100, failures: ['no'] });
  });
});

describe('what is read of processes', () => {
  it('finds a process by its mark, until it has ended', async () => {
    const mark = `ONEMCP_RUN=judge-${process.pid}`;
    const [key, value] = mark.split('=') as [string, string];
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { env: { ...process.env, [key]: value } });
    onTestFinished(() => void child.kill('SIGKILL'));
    await until('it shows', () => marked(mark).length === 1);
    expect(marked(mark)).toEqual([child.pid]);
    expect(marked(mark.slice(0, -1))).toEqual([]);
    expect(cookieOf(child.pid as number)).toBe(mark);
    expect(memoryOf(child.pid as number).peak).toBeGreaterThan(1e6);
    expect(filesOf(child.pid as number)).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(marked(mark)).toEqual([]);
    expect(memoryOf(child.pid as number)).toEqual({ now: 0, peak: 0 });
  });

  it('finds a zombie', async () => {
    const parent = spawn('/bin/sh', ['-c', `${process.execPath} -e 0 & exec sleep 30`], { stdio: 'ignore' });
    onTestFinished(() => void parent.kill('SIGKILL'));
    await until('its child is a zombie', () => zombiesOf(parent.pid as number).length === 1);
    expect(zombiesOf(process.pid)).toEqual([]);
  });
});

it('a fault that does not exist is not silently left out', () => {
  expect(() => pick([], 'no-such-fault')).toThrow('no-such-fault');
});
