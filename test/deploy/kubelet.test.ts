import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { connect, fixture, startGateway, textOf, until, untilState } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { createService, kubelet, podAddress, probe } from './cluster.ts';
import { startLoad, summary } from './loadClient.ts';

/** How long the probes go on; `PROBE_SECONDS=600` for the ten minutes of a soak. */
const SECONDS = Number(process.env.PROBE_SECONDS ?? 4);

const portOf = (url: string) => Number(new URL(url).port);

it(
  verifies('probes', 'probes once a second with the address of the pod as Host are always let in'),
  async () => {
    const pod = podAddress();
    // As in the pod: every address.
    const args = pod ? ['--host', '0.0.0.0', '--insecure-no-auth'] : [];
    const gateway = await startGateway({ good: fixture('good'), bad: fixture('crash-on-start') }, {}, args);
    const port = portOf(gateway.url);
    const watching = kubelet(port, 1_000);
    // Counted, not timed: a timer of Node.js is late by a millisecond each time, and in ten minutes by more than half a second.
    await until('every probe is answered', () => watching.seen.length >= 2 * SECONDS, 30_000 + SECONDS * 1_000);
    watching.stop();
    await until('the last probes are answered', () => watching.seen.length % 2 === 0);
    // One of its servers never comes up: the gateway is alive and ready all the same.
    expect([...watching.counts.keys()].sort()).toEqual(['/health/live 200', '/health/ready 200']);
    for (const count of watching.counts.values()) expect(count).toBeGreaterThanOrEqual(SECONDS);
    for (const path of ['/health/live', '/health/ready']) expect(await probe(port, path, '127.0.0.1', '[fd00::1]')).toBe(200);
    // In a burst, too: many kubelets and balancers ask at once, and are not limited.
    const burst = await Promise.all(Array.from({ length: 200 }, () => probe(port, '/health/ready')));
    expect(new Set(burst)).toEqual(new Set([200]));
    if (pod) {
      expect(await probe(port, '/health/live', pod, pod)).toBe(200);
      // Other routes are not open to whoever comes by the address.
      expect(await probe(port, '/mcp', pod, pod)).toBe(403);
    } else console.warn('*** this machine has no address but loopback: the probe came in there ***');
  },
  60_000 + SECONDS * 1_000,
);

it(verifies('kubernetes', 'a ConfigMap and a Secret mounted read-only are read, and a swap of ..data is applied'), async () => {
  const gateway = await startGateway({});
  const mount = join(gateway.folder, 'mount');
  const write = (version: string, servers: object) => {
    mkdirSync(join(mount, version), { recursive: true });
    writeFileSync(join(mount, version, 'mcp.json'), JSON.stringify({ mcpServers: servers }));
    chmodSync(join(mount, version, 'mcp.json'), 0o444);
  };
  /** As the kubelet does it: a new folder, and one rename that changes all files at once. */
  const swap = (version: string, servers: object) => {
    write(version, servers);
    symlinkSync(version, join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  swap('..2026_11_25_12_00_00.1', { one: fixture('good') });
  symlinkSync('..data/mcp.json', join(mount, 'mcp.json'));
  // This gateway's file becomes the mounted one.
  rmSync(join(gateway.folder, 'mcp.json'));
  symlinkSync('mount/mcp.json', join(gateway.folder, 'mcp.json'));
  await untilState(gateway, 'one', 'connected');
  const pid = (await untilState(gateway, 'one', 'connected')).pid;

  swap('..2026_11_25_12_01_00.2', { one: fixture('good'), two: fixture('good') });
  rmSync(join(mount, '..2026_11_25_12_00_00.1'), { recursive: true, force: true });
  await untilState(gateway, 'two', 'connected');
  expect((await untilState(gateway, 'one', 'connected')).pid).toBe(pid);
  expect((await gateway.health()).body.configuration).toMatchObject({ serverCount: 2 });
});

it(verifies(
  'handover',
  'a pod that is ended under load: not ready at once, alive, calls in flight finish, and no call of any client fails',
), async () => {
  const [leaving, staying] = [await startGateway({ good: fixture('good') }), await startGateway({ good: fixture('good') })];
  await untilState(leaving, 'good', 'connected');
  await untilState(staying, 'good', 'connected');
  const service = await createService(portOf(leaving.url), portOf(staying.url));
  const load = startLoad({ url: service.url, clients: 8, tool: 'good__echo' });
  await until('every client has called', () => load.counts.answered >= 80);

  // One that is in flight all along, on the pod that goes.
  const client = await connect(leaving.url);
  const slow = client.call('good__slow', { ms: 2_000 });
  await until('the call is in flight', async () => ((await untilState(leaving, 'good', 'connected')).inFlight as number) >= 1);
  const watching = kubelet(portOf(leaving.url), 50);

  // The pod is deleted: no new connections; preStop, which is shorter here; SIGTERM.
  service.endpoints = [portOf(staying.url)];
  await sleep(300);
  const began = performance.now();
  process.kill(leaving.pid, 'SIGTERM');
  expect(textOf(await slow)).toBe('slept 2000 ms');
  expect(await leaving.exited).toBe(0);
  watching.stop();
  const after = load.counts.answered;
  await until('the load goes on elsewhere', () => load.counts.answered > after + 200);
  const counts = await load.stop();
  console.log(`a pod ended under load: ${summary(counts)}`);

  expect(counts.failures).toEqual([]);
  expect(counts.answered).toBe(counts.calls);
  // Some began anew, and none was ever turned away.
  expect(counts.sessions).toBeGreaterThan(8);
  expect(counts.refused).toBe(0);
  const { seen } = watching;
  const unready = seen.find(({ path, status }) => path === '/health/ready' && status === 503);
  expect((unready?.at ?? Number.POSITIVE_INFINITY) - began).toBeLessThan(1_500);
  expect(seen.filter(({ path, status }) => path === '/health/live' && status !== 200 && status !== 0)).toEqual([]);
}, 60_000);
