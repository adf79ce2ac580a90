import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { secretReader } from '../../src/io/secrets/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'onemcp-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'api-key'), 'from a file\n');
writeFileSync(join(folder, '..', 'outside'), 'not yours');
mkdirSync(join(folder, 'a-folder'));
afterAll(() => rmSync(join(folder, '..', 'outside'), { force: true }));

const env = { ONEMCP_SECRETS: folder, API_KEY: 'from the environment', ONLY_ENV: 'x', 'exact.name': 'y' };
const { read } = secretReader(env);

it('a mounted file wins over the environment; its last line end is not part of it', async () => {
  expect(await read('api-key')).toBe('from a file');
  expect(await read('env:api-key')).toBe('from the environment');
});

it('a variable is found by its own name, or in the usual spelling', async () => {
  expect(await read('only-env')).toBe('x');
  expect(await read('exact.name')).toBe('y');
});

it('never leaves its folder, and says where it looked', async () => {
  await expect(read('../outside')).rejects.toThrow('secret "../outside" was not found');
  await expect(read('a-folder')).rejects.toThrow(`set A_FOLDER, or write it to a file "a-folder" in ${folder}`);
  await expect(read('nowhere:x')).rejects.toThrow('was not found');
});
