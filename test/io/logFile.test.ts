import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogFile } from '../../src/io/logFile.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onemcp-log-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function make(path: string, maxBytes = 1_000_000, files = 3) {
  const trouble: string[] = [];
  return { trouble, ...createLogFile({ path, maxBytes, files, onProblem: (message) => trouble.push(message) }) };
}
const text = (path: string) => readFile(path, 'utf8');

it('makes its folder, is for its owner only and is appended to', async () => {
  const path = join(folder, 'a/b/log');
  for (const line of ['one', 'two']) {
    const file = make(path);
    file.write(line);
    await file.close(10_000);
  }
  expect([await text(path), (await stat(path)).mode & 0o777]).toEqual(['one\ntwo\n', 0o600]);
});

it('is rotated by size, and no more files than wanted are kept', async () => {
  const path = join(folder, 'log');
  const file = make(path, 10);
  for (let n = 0; n < 9; n++) file.write(`line${n}`);
  await file.close(10_000);
  expect((await readdir(folder)).sort()).toEqual(['log', 'log.1', 'log.2']);
  expect([await text(path), await text(`${path}.1`), await text(`${path}.2`)]).toEqual(['line8\n', 'line7\n', 'line6\n']);
});

it('is made anew after it was moved away', async () => {
  const path = join(folder, 'log');
  const file = make(path);
  file.write('old');
  await expect.poll(() => text(path).catch(() => '')).toBe('old\n');
  await rename(path, `${path}.moved`);
  file.reopen();
  file.write('new');
  await file.close(10_000);
  expect([await text(`${path}.moved`), await text(path)]).toEqual(['old\n', 'new\n']);
});

it('that cannot be written warns once, and says how many lines were lost when it can be again', async () => {
  const blocked = join(folder, 'dir');
  await writeFile(blocked, '');
  const path = join(blocked, 'log');
  const file = make(path);
  for (const line of ['a', 'b']) file.write(line);
  await expect.poll(() => file.trouble).toHaveLength(1);
  await rm(blocked);
  file.write('c');
  await file.close(10_000);
  const [dropped, last] = (await text(path)).trimEnd().split('\n');
  expect([JSON.parse(dropped as string), last, file.trouble.length]).toEqual([
    expect.objectContaining({ event: 'log.dropped', lines: 2 }),
    'c',
    1,
  ]);
});

it('drops what would wait without bound, and counts it', async () => {
  const path = join(folder, 'log');
  const file = make(path, 100_000_000);
  for (let n = 0; n < 3_000; n++) file.write('x'.repeat(999));
  await expect
    .poll(() =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    )
    .toBeGreaterThan(1024 * 1024);
  file.write('after');
  await file.close(10_000);
  const lines = (await text(path)).trimEnd().split('\n');
  const { lines: lost } = JSON.parse(lines.find((line) => line.includes('log.dropped')) as string) as { lines: number };
  expect(lines.filter((line) => line.startsWith('x')).length + lost).toBe(3_000);
});
