import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createKubernetesSource, type KubernetesOptions } from '../../src/io/sources/kubernetes.ts';
import { until } from '../http/serverKit.ts';
import { fakeKubernetes, type Service } from './fakeKubernetes.ts';
import { RETRY, watching } from './sourcesKit.ts';

const LABELS = { 'onemcp.io/server': 'true' };
const port = (number: number, name?: string) => ({ port: number, protocol: 'TCP', ...(name && { name }) });

interface Parts {
  readonly annotations?: Record<string, string>;
  readonly spec?: Record<string, unknown>;
  readonly namespace?: string;
  readonly created?: string;
}
const service = (name: string, { annotations = {}, spec = { ports: [port(80)] }, namespace = 'tools', created }: Parts = {}): Service => ({
  metadata: { name, namespace, labels: LABELS, annotations, creationTimestamp: created ?? '2026-01-01T00:00:00Z' },
  spec,
});
const note = (key: string, value: string) => ({ [`onemcp.io/${key}`]: value });

async function started(options: Partial<KubernetesOptions> = {}, server: Parameters<typeof fakeKubernetes>[0] = {}) {
  const cluster = await fakeKubernetes(server);
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-kubernetes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'first\n');
  const skipped: string[] = [];
  const source = createKubernetesSource({
    apiServer: cluster.url,
    namespace: 'tools',
    labelSelector: 'onemcp.io/server=true',
    tokenFile,
    caFile: undefined,
    retry: RETRY,
    onSkip: (place, why) => void skipped.push(`${place} ${why}`),
    ...options,
  });
  return { cluster, tokenFile, skipped, begin: () => watching(source) };
}

describe('what annotations say', () => {
  it('makes entries of Services', async () => {
    const { cluster, begin, skipped } = await started();
    cluster.apply(service('plain'));
    cluster.apply(service('two', { spec: { ports: [port(9090, 'metrics'), port(8080, 'http')] } }));
    cluster.apply(service('three', { spec: { ports: [port(8080, 'http'), port(3001, 'mcp')] } }));
    cluster.apply(service('by-name', { annotations: note('port', 'web'), spec: { ports: [port(8080, 'http'), port(81, 'web')] } }));
    cluster.apply(service('by-number', { annotations: note('port', '82'), spec: { ports: [port(8080, 'http'), port(82, 'web')] } }));
    cluster.apply(service('udp', { spec: { ports: [port(80), { port: 53, protocol: 'UDP' }] } }));
    cluster.apply(service('headless', { spec: { clusterIP: 'None', ports: [{ ...port(80), targetPort: 3001 }] } }));
    cluster.apply(
      service('outside', {
        annotations: { ...note('port', '443'), ...note('scheme', 'https') },
        spec: { type: 'ExternalName', externalName: 'mcp.example.com' },
      }),
    );
    const annotations = { ...note('name', 'named'), ...note('path', 'sse'), ...note('type', 'sse'), ...note('tags', 'a, b') };
    cluster.apply(service('x', { annotations }));
    cluster.apply(service('url', { annotations: note('url', 'https://u.example.com/${KEY}') }));
    cluster.apply({ ...service('unlabelled'), metadata: { name: 'unlabelled', namespace: 'tools' } });
    cluster.apply(service('elsewhere', { namespace: 'other' }));
    const told = begin();
    await until(() => told.found.length > 0);
    expect(Object.fromEntries(told.found[0]!.map(({ name, entry }) => [name, entry]))).toEqual({
      plain: { url: 'http://plain.tools.svc:80/mcp' },
      two: { url: 'http://two.tools.svc:8080/mcp' },
      three: { url: 'http://three.tools.svc:3001/mcp' },
      'by-name': { url: 'http://by-name.tools.svc:81/mcp' },
      'by-number': { url: 'http://by-number.tools.svc:82/mcp' },
      udp: { url: 'http://udp.tools.svc:80/mcp' },
      headless: { url: 'http://headless.tools.svc:3001/mcp' },
      outside: { url: 'https://mcp.example.com:443/mcp' },
      named: { url: 'http://x.tools.svc:80/sse', type: 'sse', tags: ['a', 'b'] },
      url: { url: 'https://u.example.com/${KEY}' },
    });
    expect(told.found[0]?.find(({ name }) => name === 'named')?.place).toBe('Service tools/x');
    expect([skipped, told.problems]).toEqual([[], []]);
  });

  it('says why a Service cannot be used, once', async () => {
    const { cluster, begin, skipped } = await started();
    cluster.apply(service('many', { spec: { ports: [port(1, 'a'), port(2, 'b')] } }));
    cluster.apply(service('none', { spec: {} }));
    cluster.apply(service('wrong', { annotations: note('port', '81') }));
    cluster.apply(service('scheme', { annotations: note('scheme', 'ftp') }));
    cluster.apply(service('external', { spec: { type: 'ExternalName' } }));
    const told = begin();
    await until(() => told.found.length > 0);
    cluster.apply(service('good'));
    await until(() => told.names() === 'good');
    expect(skipped.sort()).toEqual([
      'Service tools/external is of the type ExternalName and has no externalName',
      'Service tools/many has several ports, of which none is named mcp or http; write the annotation onemcp.io/port',
      'Service tools/none has no TCP port; write the annotation onemcp.io/port',
      'Service tools/scheme has the annotation onemcp.io/scheme, which is neither http nor https',
      'Service tools/wrong has no port "81", which its annotation onemcp.io/port names',
    ]);
  });

  it('looks in all namespaces, where the oldest of one name wins', async () => {
    const { cluster, begin, skipped } = await started({ namespace: undefined, labelSelector: '' });
    cluster.apply(service('web', { namespace: 'a', created: '2026-02-01T00:00:00Z' }));
    cluster.apply(service('web', { namespace: 'b', created: '2026-01-01T00:00:00Z' }));
    const told = begin();
    await until(() => told.urlOf('web') === 'http://web.b.svc:80/mcp');
    expect(skipped).toEqual(['Service a/web has the same name as Service b/web, "web", which is older']);
    cluster.remove('web', 'b');
    await until(() => told.urlOf('web') === 'http://web.a.svc:80/mcp');
    expect(cluster.asked[0]?.path).toBe('/api/v1/services');
    expect(cluster.asked[0]?.query.has('labelSelector')).toBe(false);
  });
});

describe('changes', () => {
  it('follows what is added, changed, loses its label and is removed, after one list', async () => {
    const { cluster, begin } = await started();
    cluster.apply(service('a'));
    const told = begin();
    await until(() => told.names() === 'a');
    await until(() => cluster.watches === 1);
    cluster.apply(service('b'));
    await until(() => told.names() === 'a,b');
    cluster.apply(service('b', { annotations: note('path', '/new') }));
    await until(() => told.urlOf('b') === 'http://b.tools.svc:80/new');
    cluster.apply({ ...service('b'), metadata: { name: 'b', namespace: 'tools' } });
    await until(() => told.names() === 'a');
    cluster.remove('a');
    await until(() => told.names() === '');
    expect([told.found.length, told.problems.length, cluster.count('list'), cluster.count('watch')]).toEqual([5, 0, 1, 1]);
    expect(Object.fromEntries(cluster.asked[1]!.query)).toEqual({
      labelSelector: 'onemcp.io/server=true',
      watch: '1',
      resourceVersion: '101',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '300',
    });
  });

  it('tells a change that is none for it to nobody, and many at once together', async () => {
    const { cluster, begin } = await started();
    cluster.apply(service('a'));
    const told = begin();
    await until(() => cluster.watches === 1);
    cluster.apply(service('a', { spec: { ports: [port(80)], sessionAffinity: 'ClientIP' } }));
    for (let at = 0; at < 50; at++) cluster.apply(service(`s${at}`));
    await until(() => told.found.at(-1)?.length === 51);
    expect(told.found.length).toBeLessThan(20);
  });

  it('lists page by page', async () => {
    const { cluster, begin } = await started({ page: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) cluster.apply(service(name));
    const told = begin();
    await until(() => told.found.length > 0);
    expect([told.names(), cluster.count('list')]).toEqual(['a,b,c,d,e', 3]);
  });

  it('goes on where it was after the stream broke: no list, and nothing is lost', async () => {
    const { cluster, begin } = await started();
    cluster.apply(service('a'));
    const told = begin();
    await until(() => cluster.watches === 1);
    cluster.apply(service('b'));
    await until(() => told.names() === 'a,b');
    // In the middle of a line, too.
    cluster.say('{"type":"ADDED","object":{"meta');
    cluster.hangUp();
    cluster.remove('a');
    cluster.apply(service('c'));
    await until(() => told.names() === 'b,c');
    expect([cluster.count('list'), cluster.asked.at(-1)?.query.get('resourceVersion'), told.problems]).toEqual([1, '102', []]);
  });

  it('goes on from a bookmark, and when the server ends a watch in time', async () => {
    const { cluster, begin } = await started({ watchFor: 1_000 });
    const told = begin();
    await until(() => cluster.watches === 1);
    cluster.apply(service('far', { namespace: 'other' }));
    cluster.bookmark();
    await until(() => cluster.count('watch') === 2);
    expect([cluster.asked.at(-1)?.query.get('resourceVersion'), cluster.count('list'), told.problems]).toEqual(['101', 1, []]);
  });
});

describe('410 Gone', () => {
  it.each(['status', 'event'] as const)('lists anew when a watch says so as %s', async (way) => {
    const { cluster, begin } = await started();
    cluster.apply(service('a'));
    const told = begin();
    await until(() => cluster.watches === 1);
    if (way === 'event') {
      // Nothing is told of it, as when the server has forgotten it.
      cluster.instead.set('watch', (_, response) => void response.writeHead(200).flushHeaders());
      cluster.expire();
    } else {
      cluster.compact();
      cluster.hangUp();
    }
    cluster.instead.clear();
    cluster.apply(service('b'));
    await until(() => told.names() === 'a,b');
    expect([cluster.count('list'), told.problems]).toEqual([2, []]);
  });

  it('lists as a whole when the pages became too old', async () => {
    const { cluster, begin } = await started({ page: 1 });
    for (const name of ['a', 'b', 'c']) cluster.apply(service(name));
    let pages = 0;
    cluster.instead.set('list', (_, response) => {
      cluster.instead.clear();
      pages++;
      response.writeHead(200).end(
        JSON.stringify({
          metadata: { resourceVersion: '50', continue: Buffer.from('[50,1]').toString('base64') },
          items: [service('gone')],
        }),
      );
    });
    cluster.compact();
    const told = begin();
    await until(() => told.found.length > 0);
    expect([told.names(), pages, cluster.count('list'), told.problems]).toEqual(['a,b,c', 1, 3, []]);
    expect(cluster.asked[2]?.query.has('limit')).toBe(false);
  });
});

describe('what goes wrong', () => {
  it.each(['list', 'watch'] as const)('names the verb that is missing when it may not %s', async (verb) => {
    const { cluster, begin } = await started();
    cluster.denied.add(verb);
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(
      `the service account may not ${verb} services in the namespace tools (403): give it a Role with the verbs get, list and watch for services; ` +
        `it says: services is forbidden: User "system:serviceaccount:x:onemcp" cannot ${verb} resource "services"`,
    );
    cluster.denied.clear();
    await until(() => told.problems.length === 2 && cluster.watches === 1);
    expect([told.problems[1], told.found]).toEqual([undefined, [[]]]);
  });

  it('reads the token for each request', async () => {
    const { cluster, begin, tokenFile } = await started();
    const told = begin();
    await until(() => cluster.watches === 1);
    writeFileSync(tokenFile, 'second');
    cluster.accept('second');
    cluster.hangUp();
    await until(() => cluster.count('watch') === 2 && cluster.watches === 1);
    expect([cluster.asked.at(-1)?.token, told.problems]).toEqual(['Bearer second', []]);
    cluster.accept('third');
    cluster.hangUp();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(`the Kubernetes API server does not accept the token in ${tokenFile} (401); it says: Unauthorized`);
    rmSync(tokenFile);
    await until(() => told.problems.length === 2);
    expect(told.problems[1]).toMatch(/cannot be read \(ENOENT\): is automountServiceAccountToken on\?$/);
  });

  it('keeps what was found while the server is away, and goes on when it is back', async () => {
    const { cluster, begin } = await started();
    cluster.apply(service('a'));
    const told = begin();
    await until(() => told.names() === 'a' && cluster.watches === 1);
    await cluster.down();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(`the Kubernetes API server ${cluster.url} cannot be asked: ECONNREFUSED`);
    await sleep(200);
    expect([told.found.length, told.problems.length]).toEqual([1, 1]);
    cluster.apply(service('b'));
    cluster.compact();
    await cluster.up();
    await until(() => told.names() === 'a,b');
    expect([told.problems.length, told.problems[1]]).toEqual([2, undefined]);
  });

  it.each([
    ['garbage', 'no json\n'],
    ['an event without an object', '{"type":"ADDED"}\n'],
    ['an event of an unknown type', '{"type":"MOVED","object":{"metadata":{"name":"a","namespace":"b","resourceVersion":"1"}}}\n'],
    ['a line that is too long', `${'x'.repeat(5 * 1024 * 1024)}\n`],
    ['a line without an end', 'x'.repeat(33 * 1024 * 1024)],
    ['another error', '{"type":"ERROR","object":{"kind":"Status","code":500}}\n'],
  ])('lists anew after %s', async (_, text) => {
    const { cluster, begin } = await started();
    cluster.apply(service('a'));
    const told = begin();
    await until(() => cluster.watches === 1);
    cluster.say(text);
    await until(() => cluster.count('list') === 2 && cluster.watches === 1);
    cluster.apply(service('b'));
    await until(() => told.names() === 'a,b');
    expect(told.problems).toEqual([]);
  });

  it.each([
    ['no list', '{"items":{}}'],
    ['no JSON', '<html>'],
    ['a circle of pages', '{"items":[],"metadata":{"resourceVersion":"1","continue":"x"}}'],
  ])('refuses %s', async (_, text) => {
    const { cluster, begin } = await started();
    cluster.instead.set('list', (__, response) => void response.end(text));
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toMatch(/something that is no list of services/);
    cluster.instead.clear();
    await until(() => told.found.length === 1);
  });

  it('gives up an answer that is late', async () => {
    const { cluster, begin } = await started({ timeout: 50 });
    cluster.instead.set('list', (_, response) => void response.write('{'));
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(`the Kubernetes API server ${cluster.url} cannot be asked: no answer within 0.05 s`);
  });

  it('begins a new watch when one is silent beyond its time', async () => {
    const { cluster, begin } = await started({ watchFor: 50, grace: 50 });
    // Never ends it, as after a connection that went without a word.
    cluster.instead.set('watch', (_, response) => void response.writeHead(200).flushHeaders());
    const told = begin();
    await until(() => cluster.count('watch') >= 3);
    expect([cluster.count('list'), told.problems]).toEqual([1, []]);
  });

  it('trusts the authority of caFile, and no other', async () => {
    const caFile = join(import.meta.dirname, '../fixtures/tls/ca.pem');
    const { cluster, begin } = await started({ caFile }, { secure: true });
    cluster.apply(service('a'));
    const told = begin();
    await until(() => told.names() === 'a');
    await until(() => cluster.watches === 1);
    const { begin: beginOther } = await started({ apiServer: cluster.url });
    const other = beginOther();
    await until(() => other.problems.length === 1);
    expect(other.problems[0]).toMatch(/has no certificate that can be trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/);
    expect(other.found).toEqual([]);
  });
});

describe('the end', () => {
  it('leaves no connection, and tells nothing more', async () => {
    const { cluster, begin } = await started();
    const told = begin();
    await until(() => cluster.watches === 1);
    cluster.apply(service('a'));
    told.stop();
    await until(() => cluster.watches === 0);
    const asked = cluster.asked.length;
    await cluster.down();
    await sleep(100);
    expect([told.found, told.problems, cluster.asked.length]).toEqual([[[]], [], asked]);
  });

  it('can be stopped at once, in the middle of a list, and while it waits', async () => {
    const { cluster, begin } = await started();
    const none = begin();
    none.stop();
    let listing = 0;
    cluster.instead.set('list', () => void listing++);
    const slow = begin();
    await until(() => listing === 1);
    slow.stop();
    cluster.instead.clear();
    await cluster.down();
    const away = begin();
    await until(() => away.problems.length === 1);
    away.stop();
    await cluster.up();
    await sleep(100);
    expect([none, slow, away].map(({ found, problems }) => [found.length, problems.length])).toEqual([
      [0, 0],
      [0, 0],
      [0, 1],
    ]);
  });
});
