import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatIssue, readConfigFile } from '../../src/config/load.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onemcp-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(name: string, content: string | Uint8Array): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
}

async function issueOf(file: string): Promise<string> {
  const read = await readConfigFile(file);
  return read.ok ? 'no issue' : read.issues.map(formatIssue).join('\n');
}

describe('readConfigFile', () => {
  it('gives the text', async () => {
    expect(await readConfigFile(await written('good.json', '{ "ü": "日本" }'))).toEqual({ ok: true, text: '{ "ü": "日本" }' });
  });

  it('finds a relative file in the base folder', async () => {
    await written('base.json', '{}');
    expect(await readConfigFile('base.json', folder)).toEqual({ ok: true, text: '{}' });
  });

  it('takes a file of exactly 4 MiB and no larger one', async () => {
    const text = ' '.repeat(4 * 1024 * 1024);
    expect(await issueOf(await written('full.json', text))).toBe('no issue');
    const file = await written('large.json', `${text} `);
    expect(await issueOf(file)).toBe(`${file}: the file is larger than 4 MiB; this is not a configuration`);
  });

  it('says what to do about a missing file', async () => {
    expect(await issueOf('no-such.json')).toBe('no-such.json: file not found; create it or name another file: onemcp run FILE');
    const file = await written('plain', '');
    expect(await issueOf(`${file}/mcp.json`)).toContain('a part of its path is a file');
  });

  it('says what to do about a folder', async () => {
    expect(await issueOf(folder)).toBe(`${folder}: this is a folder; name the file in it: onemcp run ${folder}/mcp.json`);
  });

  it.skipIf(process.getuid?.() === 0)('says what to do about an unreadable file', async () => {
    const file = await written('locked.json', '{}');
    await chmod(file, 0);
    expect(await issueOf(file)).toBe(`${file}: no permission to read the file; try: chmod u+r ${file}`);
  });

  it('refuses what is not UTF-8', async () => {
    const file = await written('utf16.json', new Uint8Array([0xff, 0xfe, 0x7b, 0x00]));
    expect(await issueOf(file)).toBe(`${file}: the file is not UTF-8 text; save it as UTF-8`);
  });

  it('reads no endless file', async () => {
    expect(await issueOf('/dev/zero')).toContain('larger than 4 MiB');
  });
});
