/** Every promise has a test that names it, and every test that names a promise names one there is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROMISES, type PromiseId } from './promises.ts';

/** Promises whose tests are still to come; each leaves this list with its test. */
const pending: ReadonlySet<PromiseId> = new Set<PromiseId>();

const CALL = /\bverifies\(\s*(\[[^\]]*\]|'[^']*')/g;

/** The files that name each id; those that only `.ci/run` runs as well. */
function provenIn(folder: string): ReadonlyMap<string, readonly string[]> {
  const proven = new Map<string, string[]>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(test|slow)\.ts$/.test(file) || file === 'coverage.test.ts') continue;
    for (const [, ids = ''] of readFileSync(join(folder, file), 'utf8').matchAll(CALL)) {
      for (const [, id = ''] of ids.matchAll(/'([^']*)'/g)) proven.set(id, [...(proven.get(id) ?? []), file]);
    }
  }
  return proven;
}

const proven = provenIn(import.meta.dirname);
const ids = Object.keys(PROMISES) as PromiseId[];

it('every promise is proved', () => {
  if (pending.size > 0) console.log(`not proved yet: ${[...pending].join(' ')}`);
  expect(ids.filter((id) => !proven.has(id) && !pending.has(id)).map((id) => `${id}: ${PROMISES[id]}`)).toEqual([]);
});

it('every id a test names is a promise', () => {
  const unknown = [...proven].filter(([id]) => !(id in PROMISES));
  expect(unknown).toEqual([]);
});

it('nothing is called pending that is proved', () => {
  expect([...pending].filter((id) => proven.has(id)).map((id) => `${id}: ${proven.get(id)?.join(', ')}`)).toEqual([]);
});

it('a promise is one sentence, said once', () => {
  const sentences = Object.values(PROMISES);
  expect(new Set(sentences).size).toBe(sentences.length);
  for (const sentence of sentences) expect(sentence).toMatch(/^[^\n]{20,}$/);
});
