/** Section: health and observability. Requests, the document, probes and the health check are sent to a running gateway. */
import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { findProgram } from '../debian.ts';
import { probe } from '../deploy/cluster.ts';
import { read } from '../deploy/layout.ts';
import { baseManifests } from '../deploy/manifests.ts';
import { yamlOf } from '../deploy/yaml.ts';
import { connect, fixture, type Running, startGateway, until, untilState } from '../e2e/gateway.ts';
import { runs, textOf } from './fragments.ts';

const STATES = ['healthy', 'degraded', 'unhealthy', 'not ready'] as const;
type State = (typeof STATES)[number];

const SERVERS = {
  healthy: { good: fixture('good') },
  degraded: { good: fixture('good'), bad: fixture('crash-on-start') },
  unhealthy: { bad: fixture('crash-on-start') },
  'not ready': { good: fixture('good') },
} as const satisfies Record<State, object>;

/** A gateway in this state; one that is not ready drains, with a call in flight. */
async function gatewayThatIs(state: State): Promise<Running> {
  const gateway = await startGateway(SERVERS[state]);
  if ('good' in SERVERS[state]) await untilState(gateway, 'good', 'connected');
  if ('bad' in SERVERS[state])
    await until('it failed', async () => (await gateway.health()).body.servers.details.some((one) => one.failures));
  if (state === 'not ready') {
    const client = await connect(gateway.url);
    void client.call('good__slow', { ms: 3_000 }).catch(() => {});
    await until('the call is in flight', async () => (await untilState(gateway, 'good', 'connected')).inFlight === 1);
    process.kill(gateway.pid, 'SIGTERM');
    await until('it drains', async () => (await gateway.health()).body.phase === 'draining');
  } else expect((await gateway.health()).body.status).toBe(state);
  return gateway;
}

/** Status of the answer in each state. */
const ANSWERS = {
  health: { healthy: 200, degraded: 200, unhealthy: 503, 'not ready': 200 },
  live: { healthy: 200, degraded: 200, unhealthy: 200, 'not ready': 200 },
  ready: { healthy: 200, degraded: 200, unhealthy: 200, 'not ready': 503 },
} as const;

const portOf = ({ url }: Running) => Number(new URL(url).port);

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number };
}
interface Healthcheck {
  readonly healthcheck: { readonly test: readonly string[]; readonly interval: string; readonly timeout: string; readonly retries: number };
}

const PROBES = yamlOf<Record<'livenessProbe' | 'readinessProbe', Probe>>(textOf('probes'))[0]!;
const CHECK = yamlOf<Healthcheck>(textOf('healthcheck'))[0]!.healthcheck;
const curl = findProgram('curl', { package: 'curl', otherwise: "the guide's health check of Docker Compose is not run" });

/** Runs the health check of Compose against this port; its exit code. */
function exitOfCheck(program: string, port: number): Promise<number> {
  const args = CHECK.test.slice(2).map((word) => word.replace(':3050/', `:${port}/`));
  const child = spawn(program, args, { stdio: 'ignore' });
  return new Promise((done) => child.once('exit', (code) => done(code ?? -1)));
}

it.each(STATES)(
  runs(['health', 'live', 'ready', 'probes', 'healthcheck'], 'requests, probes and health check, when it is %s'),
  async (state) => {
    const gateway = await gatewayThatIs(state);
    const [{ url }, port] = [gateway, portOf(gateway)];
    for (const id of ['health', 'live', 'ready'] as const) {
      const [method = '', path = ''] = textOf(id).trim().split(' ');
      expect([id, (await fetch(url + path, { method })).status]).toEqual([id, ANSWERS[id][state]]);
    }
    const { livenessProbe: live, readinessProbe: ready } = PROBES;
    const probed = [await probe(port, live.httpGet.path), await probe(port, ready.httpGet.path)];
    expect(probed).toEqual([ANSWERS.live[state], ANSWERS.ready[state]]);
    // 22: curl -f was answered with 400 or more.
    if (curl) expect(await exitOfCheck(curl, port)).toBe(ANSWERS.health[state] === 200 ? 0 : 22);
  },
);

it(runs('probes', 'the probes are those of the manifest, at the port of the container'), () => {
  const [container] = baseManifests().Deployment.spec.template.spec.containers;
  expect({ livenessProbe: container.livenessProbe, readinessProbe: container.readinessProbe }).toEqual(PROBES);
  const port = container.ports[0]?.containerPort;
  expect([PROBES.livenessProbe.httpGet.port, PROBES.readinessProbe.httpGet.port]).toEqual([port, port]);
});

it(runs('healthcheck', 'interval, timeout and retries are those of docker-compose.yml; the command is curl at our port'), () => {
  const [compose] = yamlOf<{ services: { onemcp: Healthcheck } }>(read('docker-compose.yml'));
  const { interval, timeout, retries } = CHECK;
  expect(compose?.services.onemcp.healthcheck).toMatchObject({ interval, timeout, retries });
  expect(CHECK.test.slice(0, 2)).toEqual(['CMD', 'curl']);
  expect(CHECK.test.at(-1)).toContain(':3050/');
});

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const kindOf = (value: unknown) => (Array.isArray(value) ? 'array' : typeof value);

/** What the one has that the other has not, or not of the same type; entries of lists are paired by their name. */
function missing(wanted: unknown, found: unknown, path = ''): readonly string[] {
  if (kindOf(wanted) !== kindOf(found)) return [`${path}: ${kindOf(wanted)}, not ${kindOf(found)}`];
  if (isTree(wanted)) return Object.keys(wanted).flatMap((key) => missing(wanted[key], (found as Tree)[key], `${path}.${key}`));
  if (!Array.isArray(wanted)) return [];
  if (!wanted.every(isTree)) return JSON.stringify(wanted) === JSON.stringify(found) ? [] : [`${path}: other words`];
  const named = found as readonly Tree[];
  return wanted.flatMap((one) =>
    missing(
      one,
      named.find(({ name }) => name === one.name),
      `${path}[${one.name}]`,
    ),
  );
}

it(runs('document', 'every field of the answer is there, nested as it is, with its type and a value it may have'), async () => {
  const guide = JSON.parse(textOf('document')) as Tree;
  const gateway = await startGateway({
    'filesystem-server': fixture('good', {}, { tags: ['filesystem'] }),
    'web-server': fixture('crash-on-start', {}, { tags: ['network', 'web'] }),
    off: fixture('good', {}, { disabled: true }),
  });
  await untilState(gateway, 'filesystem-server', 'connected');
  await until('the other failed', async () => (await gateway.health()).body.servers.details.some(({ lastError }) => lastError));
  const { body } = await gateway.health();
  expect(missing(guide, body)).toEqual([]);
  // The comparison itself sees what is missing, and what is of another type.
  expect(missing({ a: { b: 1 }, c: [{ name: 'x', d: 'y' }] }, { a: { b: '1' }, c: [{ name: 'x' }] })).toHaveLength(2);

  const ours = body as unknown as Record<'system' | 'servers' | 'configuration', Tree & { details: Tree[]; memory: Tree }>;
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(['healthy', 'degraded', 'unhealthy']).toContain(guide.status);
  expect(body).toMatchObject({ status: 'degraded', timestamp: time, version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  const { used, total, percentage } = ours.system.memory as { used: number; total: number; percentage: number };
  expect(used).toBeLessThanOrEqual(total);
  expect(Math.abs(percentage - (used / total) * 100)).toBeLessThan(1);
  expect(ours.servers).toMatchObject({ total: 3, healthy: 1, unhealthy: 1 });
  const [connected, failed] = ['filesystem-server', 'web-server'].map((name) => ours.servers.details.find((one) => one.name === name));
  expect(connected).toMatchObject({ status: 'connected', healthy: true, lastConnected: time, tags: ['filesystem'] });
  // On purpose: the guide's "error" is here what is being done about it. And there is no authentication yet.
  expect(failed).toMatchObject({ healthy: false, tags: ['network', 'web'] });
  expect(['starting', 'retrying', 'failed']).toContain(failed?.status);
  const { configuration } = guide as { configuration: Tree };
  expect(ours.configuration).toMatchObject({ ...configuration, authEnabled: false });
});
