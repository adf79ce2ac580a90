import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DiscoverySettings } from '../../src/config/config.ts';
import type { Discovered, DiscoveryHandlers } from '../../src/io/sources/discovery.ts';
import { watchFolder } from '../../src/io/sources/folder.ts';
import { createDiscovery, type SourceKind } from '../../src/io/sources/index.ts';
import { until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';

const retry = { initial: 1, max: 1 };
const NO_WAIT = { retry, wait: 0 };
const docker = (label = 'l'): DiscoverySettings => ({ confd: [], docker: { socketPath: '/s', label }, kubernetes: undefined });

/** A kind of source whose handlers the test has in its hands. */
function fakeKind(name: 'docker' | 'kubernetes' = 'docker') {
  const opened: DiscoveryHandlers[] = [];
  let stops = 0;
  const kind: SourceKind = {
    name,
    of: (settings) => {
      const options = settings[name];
      const source = {
        name,
        watch(handlers: DiscoveryHandlers) {
          opened.push(handlers);
          return () => void stops++;
        },
      };
      return options && { options, open: async () => source };
    },
  };
  return { kind, opened, stops: () => stops };
}
const server = (name: string, place = 'p'): Discovered => ({ name, entry: { url: 'http://x' }, place });

describe('the sources that are watched', () => {
  it('tell of what is new, and of nothing else', async () => {
    const { kind, opened } = fakeKind();
    const discovery = createDiscovery({ kinds: [kind] });
    expect(await discovery.follow(docker(), NO_WAIT)).toBe(true);
    await until('it is watched', () => opened.length === 1);
    expect(discovery.found()).toEqual([{ source: 'docker', servers: [], isWaiting: true }]);
    let changes = 0;
    const end = discovery.subscribe(() => void changes++);
    opened[0]?.onProblem(undefined);
    expect(changes).toBe(0);
    opened[0]?.onFound([server('b'), server('a', 'q'), server('a')]);
    opened[0]?.onFound([server('a'), server('b'), server('a', 'q')]);
    expect(changes).toBe(1);
    expect(discovery.found()[0]?.servers.map(({ name, place }) => name + place)).toEqual(['ap', 'aq', 'bp']);
    expect(await discovery.follow(docker(), NO_WAIT)).toBe(false);
    expect(opened.length).toBe(1);
    end();
    opened[0]?.onFound([]);
    expect(changes).toBe(1);
  });

  it(verifies('discovery-kept', 'keep what they found last while they fail'), async () => {
    const { kind, opened } = fakeKind();
    const discovery = createDiscovery({ kinds: [kind] });
    await discovery.follow(docker(), NO_WAIT);
    await until('it is watched', () => opened.length === 1);
    opened[0]?.onFound([server('a')]);
    opened[0]?.onProblem('gone');
    expect(discovery.found()).toMatchObject([{ servers: [{ name: 'a' }], problem: 'gone', isWaiting: false }]);
    opened[0]?.onProblem(undefined);
    expect(discovery.found()).toMatchObject([{ servers: [{ name: 'a' }] }]);
    expect(discovery.found()[0]?.problem).toBeUndefined();
  });

  it('are waited for only so long', async () => {
    const slow = fakeKind();
    const discovery = createDiscovery({ kinds: [slow.kind] });
    const began = performance.now();
    await discovery.follow(docker(), { retry, wait: 50 });
    expect(performance.now() - began).toBeGreaterThan(40);
    const quick = createDiscovery({ kinds: [slow.kind] });
    const following = quick.follow(docker(), { retry, wait: 3_600_000 });
    await until('it is watched', () => slow.opened.length === 2);
    slow.opened[1]?.onFound([server('a')]);
    expect(await following).toBe(true);
  });

  it('are made anew when what is said of them changes, and end when it is taken away', async () => {
    const { kind, opened, stops } = fakeKind();
    const discovery = createDiscovery({ kinds: [kind] });
    await discovery.follow(docker('one'), NO_WAIT);
    await until('it is watched', () => opened.length === 1);
    opened[0]?.onFound([server('a')]);
    await discovery.follow(docker('two'), NO_WAIT);
    await until('the next one is watched', () => opened.length === 2);
    expect(stops()).toBe(1);
    expect(discovery.found()).toMatchObject([{ servers: [{ name: 'a' }], isWaiting: true }]);
    opened[0]?.onFound([server('late')]);
    opened[1]?.onFound([]);
    expect(discovery.found()).toMatchObject([{ servers: [], isWaiting: false }]);
    await discovery.follow(undefined, NO_WAIT);
    expect({ stops: stops(), found: discovery.found() }).toEqual({ stops: 2, found: [] });
  });

  it('that cannot be started are a problem, not an exception', async () => {
    const broken: SourceKind = { name: 'docker', of: () => ({ options: {}, open: () => Promise.reject(new Error('no such module')) }) };
    const discovery = createDiscovery({ kinds: [broken] });
    await discovery.follow(docker(), { retry, wait: 10_000 });
    expect(discovery.found()).toMatchObject([{ problem: 'it cannot be started: no such module' }]);
  });

  it('tell at once of what came before anybody listened', async () => {
    const { kind, opened } = fakeKind();
    const discovery = createDiscovery({ kinds: [kind] });
    await discovery.follow(docker(), NO_WAIT);
    discovery.found();
    await until('it is watched', () => opened.length === 1);
    opened[0]?.onFound([server('a')]);
    let changes = 0;
    discovery.subscribe(() => void changes++)();
    expect(changes).toBe(1);
  });
});

it('what a source cannot use is said as a sentence', async () => {
  const said: string[] = [];
  const kind: SourceKind = {
    name: 'docker',
    of: (_, { onSkip }) => {
      const watch = (handlers: DiscoveryHandlers) => {
        onSkip('container web', 'has no port');
        handlers.onFound([]);
        return () => {};
      };
      return { options: {}, open: async () => ({ name: 'docker', watch }) };
    },
  };
  const discovery = createDiscovery({ kinds: [kind], onSkip: (sentence) => said.push(sentence) });
  await discovery.follow(docker(), { retry, wait: 10_000 });
  expect(said).toEqual(['docker: container web has no port']);
});

describe('a watched folder', () => {
  function watching(poll = 3_600_000) {
    const base = mkdtempSync(join(tmpdir(), 'onemcp-folder-'));
    const folder = join(base, 'conf.d');
    let changes = 0;
    const read = async () => {
      try {
        return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
      } catch {
        return new Map<string, string>();
      }
    };
    const watch = watchFolder({ folder, poll, seen: new Map(), read, onChange: () => void changes++ });
    onTestFinished(() => {
      watch.close();
      rmSync(base, { recursive: true, force: true });
    });
    const next = async (what: string, action: () => void) => {
      const before = changes;
      action();
      await until(what, () => changes > before);
    };
    return { folder, next };
  }

  it.each([3_600_000, 30])('may come later; its files come, change and go (polled every %d ms)', async (poll) => {
    const { folder, next } = watching(poll);
    mkdirSync(folder);
    await next('the first file is seen', () => writeFileSync(join(folder, 'a.json'), '1'));
    await next('its change is seen', () => writeFileSync(join(folder, 'a.json'), '22'));
    await next('its end is seen', () => rmSync(join(folder, 'a.json')));
    await next('another file is seen', () => writeFileSync(join(folder, 'b.json'), '1'));
    await next('the end of the folder is seen', () => rmSync(folder, { recursive: true }));
    mkdirSync(folder);
    await next('another folder is seen', () => writeFileSync(join(folder, 'c.json'), '1'));
  });
});
