/** Every promise has a test that names it, and every test that names a promise names one there is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROMISES, type PromiseId } from './promises.ts';

/** Promises whose tests are still to come or to be named; each leaves this list with its test. */
const pendingE2e: ReadonlySet<PromiseId> = new Set<PromiseId>([
  'C45',
  'D61',
  'E72',
  'E74',
  'E79',
  'I115',
  'I118',
  'I123',
  'I124',
  'I126',
  'I127',
  'J129',
  'J130',
  'J131',
  'J132',
  'J133',
  'J134',
  'J135',
  'kill9-nothing-left',
  'crash-own-calls',
  'config-errors',
  'port-in-use',
]);

const CALL = /\bverifies\(\s*(\[[^\]]*\]|'[^']*')/g;

/** The files that name each id. */
function provenIn(folder: string): ReadonlyMap<string, readonly string[]> {
  const proven = new Map<string, string[]>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.test.ts') || file === 'coverage.test.ts') continue;
    for (const [, ids = ''] of readFileSync(join(folder, file), 'utf8').matchAll(CALL)) {
      for (const [, id = ''] of ids.matchAll(/'([^']*)'/g)) proven.set(id, [...(proven.get(id) ?? []), file]);
    }
  }
  return proven;
}

const proven = provenIn(import.meta.dirname);
const ids = Object.keys(PROMISES) as PromiseId[];

it('every promise is proved', () => {
  if (pendingE2e.size > 0) console.log(`not proved yet: ${[...pendingE2e].join(' ')}`);
  expect(ids.filter((id) => !proven.has(id) && !pendingE2e.has(id)).map((id) => `${id}: ${PROMISES[id]}`)).toEqual([]);
});

it('every id a test names is a promise', () => {
  const unknown = [...proven].filter(([id]) => !(id in PROMISES));
  expect(unknown).toEqual([]);
});

it('nothing is called pending that is proved', () => {
  expect([...pendingE2e].filter((id) => proven.has(id)).map((id) => `${id}: ${proven.get(id)?.join(', ')}`)).toEqual([]);
});

it('a promise is one sentence, said once', () => {
  const sentences = Object.values(PROMISES);
  expect(new Set(sentences).size).toBe(sentences.length);
  for (const sentence of sentences) expect(sentence).toMatch(/^[^\n]{20,}$/);
});
