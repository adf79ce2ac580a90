import { readFile } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';

/** A secret from a folder of files, as Docker and Kubernetes mount them. One trailing line end is not part of it. */
export async function readSecretFile(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = resolve(folder, name);
    const inside = relative(folder, path);
    if (inside.startsWith('..') || isAbsolute(inside)) continue;
    try {
      return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EISDIR') throw new Error(`secret file ${path} cannot be read: ${code}`);
    }
  }
  return undefined;
}
