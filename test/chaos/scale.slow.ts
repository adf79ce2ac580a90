/** Many backends and many calls: what the issue calls done, on a real process. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { fixture, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { quantile, startLoad } from './harness/load.ts';
import { replyTo } from './harness/reply.ts';
import { loadOn, type Surrounded, start, untilConnected } from './surroundings/start.ts';

const HERD = 100;
const AT_ONCE = 8;
/** restart.initial; the first delay is up to twice as long. */
const INITIAL = 4_000;
const TINY = resolve(import.meta.dirname, '../fixtures/backends/tiny.sh');

const named = (prefix: string, count: number, entry: (n: number) => Json): Record<string, Json> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, entry(n)]));
const detailsOf = async (running: Surrounded) => (await running.health()).servers.details;

it(verifies('no-herd', 'a hundred that are killed at once come back spread over time, eight at once, and disturb nobody'), async () => {
  const others = ['good', ...Array.from({ length: 4 }, (_, n) => `other${n}`)];
  const servers = {
    ...named('tiny', HERD, () => ({ command: '/bin/sh', args: [TINY] })),
    ...Object.fromEntries(others.map((name) => [name, fixture('good')])),
  };
  const running = await start({ servers, gateway: { restart: { initial: INITIAL } }, args: ['--log-level', 'debug'] });
  await untilConnected(running, Object.keys(servers), 60_000);
  const load = await loadOn(running);
  const beside = others.slice(1).map((name) => startLoad(async (text) => (await replyTo(load.client, `${name}__echo`, { text })).text, 5));
  const tiny = (await detailsOf(running)).filter(({ name }) => name.startsWith('tiny'));
  expect(tiny).toHaveLength(HERD);

  for (const { pid } of tiny) process.kill(pid as number, 'SIGKILL');
  const killed = performance.now();
  const old = new Map(tiny.map(({ name, pid }) => [name, pid]));
  const back = new Map<string, number>();
  let most = 0;
  const healthTimes: number[] = [];
  await until(
    'all are back',
    async () => {
      const asked = performance.now();
      const details = await detailsOf(running);
      healthTimes.push(performance.now() - asked);
      most = Math.max(most, details.filter(({ status }) => status === 'starting').length);
      for (const { name, status, pid } of details) {
        if (old.has(name) && status === 'connected' && pid !== old.get(name) && !back.has(name)) back.set(name, performance.now() - killed);
      }
      return back.size === HERD;
    },
    60_000,
  );
  const times = [...back.values()].sort((a, b) => a - b);
  const [first, last] = [times[0] as number, times.at(-1) as number];
  const seconds = new Array<number>(Math.ceil(last / 1_000)).fill(0);
  for (const time of times) seconds[Math.floor(time / 1_000)] = (seconds[Math.floor(time / 1_000)] as number) + 1;
  const results = await Promise.all([load.stop(), ...beside.map((one) => one.stop())]);
  console.log(
    `100 killed at once are back after ${first.toFixed(0)}–${last.toFixed(0)} ms (by seconds: ${seconds.join(' ')}), at most ${most} starting; ` +
      `meanwhile ${results.reduce((sum, { sent }) => sum + sent, 0)} calls of 5 others, ${results.flatMap(({ failures }) => failures).length} failed, ` +
      `p99 ${quantile(
        results.flatMap(({ latencies }) => latencies),
        0.99,
      ).toFixed(0)} ms; health ${quantile(healthTimes, 0.5).toFixed(0)} ms in the median`,
  );
  expect(first).toBeGreaterThanOrEqual(INITIAL - 100);
  expect(last - first).toBeGreaterThanOrEqual(0.4 * 2 * INITIAL);
  expect(most).toBeLessThanOrEqual(AT_ONCE);
  expect(results.flatMap(({ failures }) => failures)).toEqual([]);
}, 180_000);

it('one of ten changes under 200 calls a second: no call fails, nine keep their process and session, a broken version never takes over', async () => {
  const servers = named('s', 10, () => fixture('good'));
  const running = await start({ servers: { good: fixture('good'), ...servers } });
  await untilConnected(running, Object.keys(servers));
  // A session lasts as long as its backend is connected.
  const livesOf = async () => new Map((await detailsOf(running)).map(({ name, pid, since }) => [name, `${pid} since ${since}`]));
  const lives = await livesOf();
  const load = await loadOn(running, 20);
  const each = Object.keys(servers).map((name) =>
    startLoad(async (text) => (await replyTo(load.client, `${name}__echo`, { text })).text, 18),
  );
  const sameBut = async (changed: string) =>
    [...(await livesOf())].filter(([name, life]) => name !== changed && life !== lives.get(name)).map(([name]) => name);
  await sleep(500);

  // Five versions that work, one after the other.
  for (let version = 1; version <= 5; version++) {
    const before = (await running.stateOf('s3'))?.pid;
    running.write({ good: fixture('good'), ...servers, s3: fixture('good', { VERSION: String(version) }) });
    await until(`version ${version} serves`, async () => {
      const now = await running.stateOf('s3');
      return now?.status === 'connected' && now.pid !== before;
    });
    expect(await sameBut('s3')).toEqual([]);
  }
  // And three that do not.
  const serving = (await running.stateOf('s3'))?.pid;
  for (const broken of ['crash-on-start', 'exit-on-init', 'init-error']) {
    running.write({ good: fixture('good'), ...servers, s3: fixture(broken) });
    await until(`${broken} has failed`, async () => {
      const successor = (await running.stateOf('s3'))?.successor as Json | undefined;
      return successor?.lastError !== undefined;
    });
    await sleep(1_500);
    expect(await running.stateOf('s3')).toMatchObject({ status: 'connected', pid: serving });
    expect(await sameBut('s3')).toEqual([]);
  }
  const results = await Promise.all([load.stop(), ...each.map((one) => one.stop())]);
  const [sent, failures] = [results.reduce((sum, one) => sum + one.sent, 0), results.flatMap((one) => one.failures)];
  const latencies = results.flatMap((one) => one.latencies);
  console.log(
    `${sent} calls during 5 good and 3 broken versions of one of ten: ${failures.length} failed, p99 ${quantile(latencies, 0.99).toFixed(0)} ms`,
  );
  expect(failures).toEqual([]);
}, 120_000);
