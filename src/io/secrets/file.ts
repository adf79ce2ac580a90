import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { watchFile } from '../sources/file.ts';
import { NOTHING_SEEN, type SecretProvider, secretText } from './provider.ts';

export interface FileProviderOptions {
  /** In the order in which they are looked at. */
  readonly folders: readonly string[];
  readonly maxBytes: number;
  /** Milliseconds between two looks, for file systems that do not tell of changes; 0: none. */
  readonly poll: number;
}

/** Windows has no such flag. */
const { O_RDONLY, O_NONBLOCK = 0 } = constants;

/** Secrets from folders of files, as Docker and Kubernetes mount them. One line end at the end is not part of a secret. */
export function createFileProvider({ folders, maxBytes, poll }: FileProviderOptions): SecretProvider {
  return {
    scheme: 'file',
    async read(name) {
      for (const path of pathsOf(name, folders)) {
        // With a line end, and one byte that tells that there is more.
        const bytes = await bytesOf(path, maxBytes + 3);
        if (bytes) return secretText(bytes, maxBytes);
      }
      return undefined;
    },
    advice: (name) => `write it to a file "${name}" in ${folders.join(' or ')}`,
    watch(names, onHint) {
      const files = new Set(names.flatMap((name) => pathsOf(name, folders)));
      const watches = [...files].map((file) => watchFile({ file, poll, seen: NOTHING_SEEN, onChange: onHint }));
      return () => {
        for (const { close } of watches) close();
      };
    },
  };
}

/** Where a secret may be; never outside of a folder, whatever its name is. */
function pathsOf(name: string, folders: readonly string[]): string[] {
  return folders.flatMap((folder) => {
    const path = resolve(folder, name);
    const inside = relative(folder, path);
    return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? [] : [path];
  });
}

/** At most so many bytes of a file; undefined: it is not there. @throws Error that says what is wrong with the file */
async function bytesOf(path: string, most: number): Promise<Uint8Array | undefined> {
  let handle: FileHandle | undefined;
  try {
    // A pipe must not make us wait.
    handle = await open(path, O_RDONLY | O_NONBLOCK);
    const found = await handle.stat();
    if (found.isDirectory()) return undefined;
    if (!found.isFile()) throw new Error('it is not a regular file');
    // Some file systems know no sizes.
    const { buffer, bytesRead } = await handle.read(new Uint8Array(Math.min(most, Math.max(found.size, 64 * 1024))));
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw new Error(`the file ${path} cannot be read: ${code ?? message}`);
  } finally {
    await handle?.close().catch(() => undefined);
  }
}
