/** Servers that a running gateway finds in Docker and Kubernetes, over the APIs those have. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { start } from '../fixtures/http/index.mjs';
import { fakeDocker } from '../io/fakeDocker.ts';
import { fakeKubernetes } from '../io/fakeKubernetes.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, type Running, startGateway, textOf, until, untilState } from './gateway.ts';

async function backend() {
  const running = await start('good');
  onTestFinished(() => running.close());
  return running.url;
}

interface Source {
  readonly name: string;
  readonly status: string;
  readonly servers: number;
  readonly lastError?: string;
  readonly notes?: readonly string[];
}

async function sourcesOf(running: Running): Promise<readonly Source[]> {
  const { configuration } = (await running.health()).body as unknown as {
    readonly configuration: { readonly sources?: readonly Source[] };
  };
  return configuration.sources ?? [];
}

const untilSource = (running: Running, what: string, is: (source: Source) => boolean) =>
  until(what, async () => (await sourcesOf(running)).find(is));

const RETRY = { retryInitial: 50, retryMax: 200 };

it(verifies(['discovery-kept', 'discovery-remote'], 'containers come and go; Docker that goes away takes none with it'), async () => {
  const docker = await fakeDocker();
  const url = await backend();
  docker.run({ id: 'web', labels: { 'onemcp.enable': 'true', 'onemcp.url': url, 'onemcp.tags': 'found' } });
  const discovery = { docker: { socket: docker.socketPath }, ...RETRY, wait: '20s' };
  const running = await startGateway({ own: fixture('good') }, { discovery });
  const { pid } = await untilState(running, 'own', 'connected');
  // It was there before the gateway listened: the start has waited for it.
  expect(await untilState(running, 'web', 'connected')).toMatchObject({ tags: ['found'] });
  expect(await sourcesOf(running)).toMatchObject([{ name: 'docker', status: 'ok', servers: 1 }]);
  const client = await connect(running.url);
  expect(textOf(await client.call('web__echo', { text: 'across' }))).toContain('across');

  docker.run({ id: 'thief', labels: { 'onemcp.enable': 'true', 'onemcp.url': `${url}?key=\${HOME}` } });
  docker.run({ id: 'nameless', labels: { 'onemcp.enable': 'true' } });
  docker.run({ id: 'own', labels: { 'onemcp.enable': 'true', 'onemcp.url': url } });
  const { notes } = await untilSource(running, 'what is refused shows', (source) => source.notes?.length === 2);
  expect(notes).toEqual([
    expect.stringMatching(/^docker: container own: there is already a server "own" \(mcp\.json:3\), which wins/),
    expect.stringMatching(/^docker: container thief url: templates are not filled in what comes from docker/),
  ]);
  expect(running.logs.find(({ event }) => event === 'discovery.skipped')?.message).toMatch(/^docker: container nameless has neither/);

  await docker.down();
  const { lastError } = await untilSource(running, 'Docker is missed', ({ status }) => status === 'failing');
  expect(lastError).toContain(docker.socketPath);
  expect((await running.health()).body).toMatchObject({ status: 'degraded', problems: [expect.stringContaining('servers of docker')] });
  expect(textOf(await client.call('web__echo', { text: 'still' }))).toContain('still');

  docker.die('web');
  await docker.up();
  await until('it is gone', async () => !(await running.health()).body.servers.details.some(({ name }) => name === 'web'));
  await untilSource(running, 'Docker is back', ({ status }) => status === 'ok');
  expect(await untilState(running, 'own', 'connected')).toMatchObject({ pid });
});

it(verifies('discovery-conflict', 'Services come and go; one with the name of a container waits for its turn'), async () => {
  const docker = await fakeDocker();
  const kubernetes = await fakeKubernetes();
  const [inDocker, inCluster] = [await backend(), await backend()];
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-token-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'token'), 'first');
  const service = (name: string) => ({
    metadata: { name, namespace: 'tools', labels: { 'onemcp.io/server': 'true' }, annotations: { 'onemcp.io/url': inCluster } },
    spec: {},
  });
  kubernetes.apply(service('both'));
  kubernetes.apply(service('cluster'));
  docker.run({ id: 'both', labels: { 'onemcp.enable': 'true', 'onemcp.url': inDocker } });
  const cluster = { apiServer: kubernetes.url, namespace: 'tools', tokenFile: join(folder, 'token') };
  const discovery = { docker: { socket: docker.socketPath }, kubernetes: cluster, ...RETRY, wait: 0 };
  const running = await startGateway({}, { discovery });
  await Promise.all(['both', 'cluster'].map((name) => untilState(running, name, 'connected')));
  const { notes } = await untilSource(running, 'the conflict shows', ({ name, notes }) => name === 'kubernetes' && notes !== undefined);
  expect(notes).toEqual([
    expect.stringMatching(/^kubernetes: Service tools\/both: there is already a server "both" \(docker: container both\), which wins/),
  ]);
  docker.die('both');
  await untilSource(running, 'the Service has its turn', ({ name, servers }) => name === 'kubernetes' && servers === 2);
  await untilState(running, 'both', 'connected');
  kubernetes.remove('cluster');
  await until('it is gone', async () => !(await running.health()).body.servers.details.some(({ name }) => name === 'cluster'));
});
