import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFileStore } from '../../src/io/stores/file.ts';
import { createMemoryStore } from '../../src/io/stores/memory.ts';
import type { Store } from '../../src/io/stores/store.ts';

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fileStore({ parent = temporary(), maxBytes = 1024 * 1024 } = {}) {
  const events: string[] = [];
  const folder = join(parent, 'state', 'catalog');
  const store = createFileStore({ folder, maxBytes, log: (_level, event) => events.push(event) });
  return { store, folder, events, parent };
}

const KINDS: Readonly<Record<string, () => Store>> = { memory: createMemoryStore, file: () => fileStore().store };

describe.each(Object.entries(KINDS))('a %s store', (_, create) => {
  it('gives what was put last, and nothing for what was never put', async () => {
    const store = create();
    expect(store.get('a')).toBeUndefined();
    await store.put('a', 'one');
    await store.put('b', 'Ünï\u{1f600}\n');
    await store.put('a', 'two');
    expect([store.get('a'), store.get('b'), store.get('c')]).toEqual(['two', 'Ünï\u{1f600}\n', undefined]);
  });

  it('forgets what is deleted, and what was never there', async () => {
    const store = create();
    await store.put('a', 'one');
    await store.delete('a');
    await store.delete('a');
    expect(store.get('a')).toBeUndefined();
  });

  it('makes changes in the order in which they were asked for', async () => {
    const store = create();
    const texts = Array.from({ length: 20 }, (_value, n) => `${n}`.repeat(20 - n));
    await Promise.all(texts.map((text) => store.put('a', text)));
    expect(store.get('a')).toBe(texts.at(-1));
    await Promise.all([store.delete('a'), store.put('a', 'after')]);
    expect(store.get('a')).toBe('after');
  });

  it('no longer gives what was set aside', async () => {
    const store = create();
    await store.put('a', '{"half');
    store.setAside('a');
    expect(store.get('a')).toBeUndefined();
    await store.put('a', '{}');
    expect(store.get('a')).toBe('{}');
  });

  it('does all that was asked before it closed, and refuses what comes after', async () => {
    const store = create();
    const put = store.put('a', 'last');
    await store.close();
    await put;
    expect(store.get('a')).toBe('last');
    await expect(store.put('a', 'late')).rejects.toThrow('the store is closed');
  });

  it.each(['', '../a', 'a/b', '.', 'a.json', 'a\0'])('takes no key that could mean a path: %j', async (key) => {
    await expect(create().put(key, 'x')).rejects.toThrow('a key is letters');
  });
});

describe('the files of a store', () => {
  it('can be read by their owner only, in a folder that is their owner’s only, even where it was open before', async () => {
    const { store, folder } = fileStore();
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o777);
    await store.put('a', 'text');
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect([mode(folder), mode(join(folder, 'a.json'))]).toEqual(['700', '600']);
    expect(readdirSync(folder)).toEqual(['a.json']);
  });

  it('are never reached through a planted link', async () => {
    const { store, folder, parent, events } = fileStore();
    const victim = join(parent, 'victim');
    writeFileSync(victim, 'mine');
    mkdirSync(folder, { recursive: true });
    symlinkSync(victim, join(folder, 'a.json'));
    expect([store.get('a'), events]).toEqual([undefined, ['store.unreadable']]);
    await store.put('a', 'text');
    expect([readFileSync(victim, 'utf8'), store.get('a')]).toEqual(['mine', 'text']);
  });

  it('are not in a folder that is a link', async () => {
    const { store, folder, parent } = fileStore();
    const elsewhere = join(parent, 'elsewhere');
    mkdirSync(elsewhere);
    mkdirSync(join(parent, 'state'));
    symlinkSync(elsewhere, folder);
    await expect(store.put('a', 'text')).rejects.toMatchObject({ code: 'ENOTDIR' });
    writeFileSync(join(elsewhere, 'a.json'), 'planted');
    expect([store.get('a'), readdirSync(elsewhere)]).toEqual([undefined, ['a.json']]);
  });

  it('are left out where there is something else, or too much', () => {
    const { store, folder, events } = fileStore({ maxBytes: 3 });
    mkdirSync(join(folder, 'a.json'), { recursive: true });
    writeFileSync(join(folder, 'b.json'), 'four');
    expect([store.get('a'), store.get('b'), events]).toEqual([undefined, undefined, ['store.unreadable', 'store.unreadable']]);
  });

  it('are kept aside when they make no sense', async () => {
    const { store, folder, events } = fileStore();
    await store.put('a', 'half');
    store.setAside('a');
    expect([readdirSync(folder), events]).toEqual([['a.json.bad'], ['store.corrupt']]);
    store.setAside('a');
    expect(events).toEqual(['store.corrupt', 'store.unreadable']);
  });

  it('cannot be written where the folder is a file; nothing is left behind, and it works once it is gone', async () => {
    const { store, folder, parent } = fileStore();
    writeFileSync(join(parent, 'state'), '');
    await expect(store.put('a', 'text')).rejects.toMatchObject({ code: expect.stringMatching(/ENOTDIR|EEXIST/) });
    expect(store.get('a')).toBeUndefined();
    rmSync(join(parent, 'state'));
    await store.put('a', 'text');
    expect([store.get('a'), existsSync(folder)]).toEqual(['text', true]);
    rmSync(folder, { recursive: true });
    await expect(store.put('a', 'again')).rejects.toMatchObject({ code: 'ENOENT' });
    await store.put('a', 'again');
    expect(store.get('a')).toBe('again');
  });

  it('replace each other at once: a reader never sees a part', async () => {
    const { store } = fileStore();
    const texts = ['a'.repeat(300_000), 'b'.repeat(200_000)];
    await store.put('k', texts[0] as string);
    let writing = true;
    const done = Promise.all(Array.from({ length: 20 }, (_, n) => store.put('k', texts[n % 2] as string))).finally(() => {
      writing = false;
    });
    while (writing) {
      expect(texts.includes(store.get('k') as string)).toBe(true);
      await new Promise(setImmediate);
    }
    await done;
  });

  it('of writes that never ended are removed, those of another gateway that writes just now are not', async () => {
    const { store, folder } = fileStore();
    mkdirSync(folder, { recursive: true });
    for (const name of ['old.tmp', 'new.tmp']) writeFileSync(join(folder, name), '');
    utimesSync(join(folder, 'old.tmp'), 1, 1);
    await store.put('a', 'text');
    expect(readdirSync(folder).sort()).toEqual(['a.json', 'new.tmp']);
  });
});
