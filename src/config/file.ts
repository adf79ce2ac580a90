import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Issue } from './config.ts';

const LARGEST = 4 * 1024 * 1024;

type FileText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly issues: readonly Issue[] };

const REASONS: Readonly<Record<string, (file: string) => string>> = {
  ENOENT: () => 'file not found; create it or name another file: onemcp run FILE',
  ENOTDIR: () => 'file not found: a part of its path is a file; name another file: onemcp run FILE',
  EACCES: (file) => `no permission to read the file; try: chmod u+r ${file}`,
  EPERM: () => 'no permission to read the file',
  EISDIR: (file) => `this is a folder; name the file in it: onemcp run ${file.replace(/\/+$/, '')}/mcp.json`,
};

/**
 * The text of a configuration file, or the issue that says why there is none. A relative file is in `base`; default: the
 * working directory. Never throws.
 */
export async function readConfigFile(file: string, base = ''): Promise<FileText> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(resolve(base, file));
    const bytes = await firstBytes(handle, LARGEST + 1);
    if (bytes.length > LARGEST) return failed(file, 'the file is larger than 4 MiB; this is not a configuration');
    return decoded(file, bytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return failed(file, REASONS[code ?? '']?.(file) ?? `cannot read the file: ${message}`);
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

/** Reads with a bound instead of trusting the size: pipes have none. */
async function firstBytes(handle: FileHandle, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < most) {
    const { bytesRead, buffer } = await handle.read(new Uint8Array(Math.min(64 * 1024, most - length)));
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(chunks, length);
}

function decoded(file: string, bytes: Uint8Array): FileText {
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return failed(file, 'the file is not UTF-8 text; save it as UTF-8');
  }
}

function failed(file: string, message: string): FileText {
  return { ok: false, issues: [{ file, message }] };
}
