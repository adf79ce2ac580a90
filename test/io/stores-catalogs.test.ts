import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import { createSecret } from '../../src/config/secret.ts';
import { catalogKey, createCatalogs, type Known } from '../../src/io/stores/catalogs.ts';
import { createMemoryStore } from '../../src/io/stores/memory.ts';
import type { Store } from '../../src/io/stores/store.ts';
import { NO_ITEMS } from '../../src/world.ts';
import { tool } from '../support/fakeWorld.ts';
import { specOf } from '../support/machines.ts';

const FILE = '/etc/onemcp/mcp.json';
const KEY = catalogKey(FILE);
const SECRET = 'hunter2-hunter2';
const info = { protocolVersion: '2025-11-25', serverInfo: { name: 'x' }, capabilities: { tools: {} }, instructions: 'Be kind.' };
const knownOf = (spec: BackendSpec, tools: Known['items']['tools'] = [tool('t')]): Known => ({
  spec,
  info,
  items: { ...NO_ITEMS, tools },
  at: 1_000,
});

function open(store: Store = createMemoryStore(), maxBytes = 1024 * 1024) {
  const lines: unknown[] = [];
  const catalogs = createCatalogs({
    store,
    file: FILE,
    maxBytes,
    redact: (text) => text.replaceAll(SECRET, '***'),
    log: (_level, event, fields) => lines.push([event, fields?.message]),
    now: () => 5_000,
  });
  return { catalogs, store, lines };
}

describe('catalogs that are kept', () => {
  it('are there in the next run, for the same program only', async () => {
    const { catalogs, store } = open();
    const a = specOf('a');
    await catalogs.save([knownOf(a), knownOf(specOf('b'), [tool('other')])]);
    const next = open(store).catalogs;
    expect(next.recall(a)).toEqual({ info, items: { ...NO_ITEMS, tools: [tool('t')] }, at: 1_000 });
    expect(next.recall({ ...a, args: ['--other'] } as BackendSpec)).toBeUndefined();
    expect(next.recall(specOf('c'))).toBeUndefined();
    expect(JSON.parse(store.get(KEY) as string)).toMatchObject({ version: 1, file: FILE, savedAt: '1970-01-01T00:00:05.000Z' });
    expect(KEY).toMatch(/^[0-9a-f]{16}$/);
  });

  const stdio = specOf('a');
  const remote = { ...stdio, kind: 'remote', type: 'auto', url: 'https://x.test/mcp?key=1', headers: { a: '1' } } as unknown as BackendSpec;
  it.each<[string, BackendSpec, object, boolean]>([
    ['another command', stdio, { command: 'other' }, false],
    ['another folder', stdio, { cwd: '/tmp' }, false],
    ['another variable', stdio, { env: { A: '1' } }, false],
    ['another address', remote, { url: 'https://y.test/mcp?key=1' }, false],
    ['another header', remote, { headers: { b: '1' } }, false],
    ['another type', remote, { type: 'sse' }, false],
    ['another value of a header', remote, { headers: { a: '2' } }, true],
    ['another value in the query', remote, { url: 'https://x.test/mcp?key=2' }, true],
    ['another tag and timeout', stdio, { tags: ['x'], startTimeout: 1 }, true],
  ])('belong to a program or an address: %s', async (_, spec, patch, same) => {
    const { catalogs, store } = open();
    await catalogs.save([knownOf(spec)]);
    const found = open(store).catalogs.recall({ ...spec, ...patch } as BackendSpec);
    expect(found !== undefined).toBe(same);
  });

  it('hold no secret, and no digest of one: the secret of a specification does not matter', async () => {
    const { catalogs, store } = open();
    const withSecret = (value: string) =>
      specOf('a', { args: [createSecret(value)], env: { TOKEN: createSecret(value) } } as Partial<BackendSpec>);
    await catalogs.save([knownOf(withSecret('first-secret'))]);
    expect(open(store).catalogs.recall(withSecret('second-secret'))).toBeDefined();
    expect(store.get(KEY)).not.toContain('first-secret');
  });

  it('are not those of a backend that says secrets, which is told once', async () => {
    const { catalogs, store, lines } = open();
    const all = [knownOf(specOf('leaky'), [tool('t', { description: `the key is ${SECRET}` })]), knownOf(specOf('a'))];
    await catalogs.save(all);
    await catalogs.save(all);
    expect(store.get(KEY)).not.toContain(SECRET);
    expect([open(store).catalogs.recall(specOf('leaky')), open(store).catalogs.recall(specOf('a')) !== undefined]).toEqual([
      undefined,
      true,
    ]);
    expect(lines).toEqual([['catalog.left_out', expect.stringMatching(/^leaky: .*secret/)]]);
  });

  it('are not more than catalog.maxBytes: the largest go first', async () => {
    const { catalogs, store, lines } = open(createMemoryStore(), 2_000);
    const large = (name: string, size: number) => knownOf(specOf(name), [tool('t', { description: 'x'.repeat(size) })]);
    await catalogs.save([large('small', 100), large('huge', 5_000), large('large', 1_500)]);
    const next = open(store).catalogs;
    expect(['small', 'huge', 'large'].map((name) => next.recall(specOf(name)) !== undefined)).toEqual([true, false, false]);
    expect(lines).toHaveLength(2);
  });

  it.each([
    ['half of it', (text: string) => text.slice(0, text.length / 2)],
    ['nothing', () => ''],
    ['a list', () => '[]'],
    ['bad items', (text: string) => text.replace('"tools":[{', '"tools":[7,{')],
    ['an item without a name', (text: string) => text.replace('"name":"t"', '"nome":"t"')],
    ['no abilities', (text: string) => text.replace('"capabilities"', '"incapabilities"')],
  ])('that hold %s are as good as none, and set aside', async (_, spoil) => {
    const { catalogs, store } = open();
    await catalogs.save([knownOf(specOf('a'))]);
    await store.put(KEY, spoil(store.get(KEY) as string));
    expect(open(store).catalogs.recall(specOf('a'))).toBeUndefined();
    expect(store.get(KEY)).toBeUndefined();
  });

  it('of another version are left alone', async () => {
    const { catalogs, store } = open();
    await catalogs.save([knownOf(specOf('a'))]);
    await store.put(KEY, (store.get(KEY) as string).replace('"version":1', '"version":2'));
    expect([open(store).catalogs.recall(specOf('a')), store.get(KEY) !== undefined]).toEqual([undefined, true]);
  });

  it('come back as they were, whatever is in them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ name: fc.string({ minLength: 1 }), inputSchema: fc.dictionary(fc.string(), fc.jsonValue()) })),
        async (tools) => {
          const { catalogs, store } = open();
          const items = JSON.parse(JSON.stringify(tools)) as Known['items']['tools'];
          await catalogs.save([knownOf(specOf('__proto__'), items)]);
          expect(open(store).catalogs.recall(specOf('__proto__'))?.items.tools).toEqual(items);
          expect(({} as { info?: unknown }).info).toBeUndefined();
        },
      ),
      { numRuns: 50 },
    );
  });
});
