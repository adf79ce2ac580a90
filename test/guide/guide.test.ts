/** The guide as a whole: every fragment of it is run by a test, and every promise it makes in passing has one. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCKS } from './blocks.ts';
import { FRAGMENTS, type FragmentId, hashOf, runs } from './fragments.ts';
import { testsOf } from './titles.ts';

interface Row {
  /** What the guide promises, in its words or shortened. */
  readonly promise: string;
  /** File under `test/`; those in `slow/` are run apart. */
  readonly file: string;
  /** Title of a test there. */
  readonly title: string;
}

const PROMISES: Readonly<Record<string, readonly Row[]>> = {
  'asynchronous loading': [
    {
      promise: 'notifications in batches',
      file: 'observe/listChanged.test.ts',
      title: 'is announced once, one kind each, for ten backends that become ready within a second',
    },
  ],
  configuration: [
    {
      promise: 'environments',
      file: 'config/stack.test.ts',
      title: 'is laid over it key by key, and the overlay of an environment over both',
    },
    {
      promise: 'a store of secrets',
      file: 'io/secrets/encrypted.test.ts',
      title: 'gives back what was put, and holds nothing of it in the clear',
    },
  ],
  Kubernetes: [
    {
      promise: 'probes',
      file: 'deploy/kubelet.test.ts',
      title: 'probes once a second with the address of the pod as Host are always let in',
    },
    {
      promise: 'ConfigMaps, Secrets, servers that are found by themselves',
      file: 'deploy/kubelet.test.ts',
      title: 'a ConfigMap and a Secret mounted read-only are read, and a swap of ..data is applied',
    },
    {
      promise: 'discovery: a Service that leads to the pods',
      file: 'deploy/kubernetes.test.ts',
      title: 'has every manifest in the shape of its kind, and all names, ports and selectors agree',
    },
  ],
  'Docker Compose': [
    {
      promise: 'development, test and production; order of the start',
      file: 'deploy/compose.test.ts',
      title: 'the test composition, container by container: each starts when those before it are healthy, and the client ends with 0',
    },
    {
      promise: 'volumes for configuration and logs',
      file: 'deploy/compose.test.ts',
      title: 'keeps configuration, state and logs outside of the container',
    },
    {
      promise: 'logs that stay',
      file: 'deploy/compose.test.ts',
      title: 'in production the log goes to both places, to the last line, and signals reach the gateway',
    },
  ],
  'load balancers': [
    { promise: 'health checks', file: 'slow/balancers.test.ts', title: 'a gateway is drained under load: no call fails' },
    {
      promise: 'session affinity',
      file: 'slow/balancers.test.ts',
      title: 'sessions stay where they are, and streams come through as they are written',
    },
    {
      promise: 'clean end of connections',
      file: 'e2e/drain.test.ts',
      title: 'what is new is sent elsewhere by 404 and a closed connection, what is in flight is answered',
    },
  ],
  monitoring: [
    {
      promise: 'structured logs for collectors',
      file: 'observe/log.test.ts',
      title: 'is one JSON object with time, level, event and fields',
    },
    { promise: 'metrics', file: 'e2e/metrics.test.ts', title: 'counts what its clients did, each call once' },
    {
      promise: 'webhooks on critical events',
      file: 'e2e/alerts.test.ts',
      title: 'a backend that is killed again and again is told of once, and once when it is well again',
    },
  ],
};

const TESTS = join(import.meta.dirname, '..');

describe.each(Object.entries(PROMISES))('%s', (_, rows) => {
  it.each(rows)('$promise: $file', ({ file, title }) => {
    const named = testsOf(join(TESTS, file)).filter((test) => test.title === title);
    expect(named.map(({ off }) => off)).toEqual([false]);
  });
});

/** Not run yet: there is no authentication to log. */
const WAITING: ReadonlySet<FragmentId> = new Set(['log-validation', 'log-granted']);
it.todo(runs('log-validation', 'the log of a scope operation that was validated'));
it.todo(runs('log-granted', 'the log of an authorization that was granted'));
it.todo('load balancers: sessions of OAuth across instances');

const ids = Object.keys(FRAGMENTS) as FragmentId[];

it('every fragment is run by a test that names it, but for those that wait', () => {
  const here = import.meta.dirname;
  const tests = readdirSync(here)
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((name) => testsOf(join(here, name)));
  const run = new Set(tests.filter(({ off }) => !off).flatMap((test) => test.ids));
  expect(ids.filter((id) => !run.has(id))).toEqual([...WAITING]);
  expect([...run].filter((id) => !(id in FRAGMENTS))).toEqual([]);
});

it.each(Object.entries(BLOCKS))('the block %s is that of the guide', (_, { text, sha256 }) => {
  expect(hashOf(text)).toBe(sha256);
});

it.each(Object.entries(BLOCKS))('the fragments of %s leave nothing of it but comments', (block, { text }) => {
  const rest = Object.values(FRAGMENTS)
    .filter((fragment) => fragment.block === block)
    .reduce((left, fragment) => left.replace(fragment.text, ''), text as string);
  expect(rest.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))).toEqual([]);
});

it('a test that is off is seen as such', () => {
  const off = testsOf(join(import.meta.dirname, 'guide.test.ts')).filter((test) => test.off);
  expect(off.map((test) => test.ids)).toEqual([['log-validation'], ['log-granted'], []]);
});
