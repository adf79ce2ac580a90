import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf, sizeAndTime } from './file.ts';
import { ANY, type Watch, watchPath } from './watch.ts';

/** Texts by absolute path; undefined: it cannot be read. */
export type FolderTexts = ReadonlyMap<string, string | undefined>;

export interface FolderWatchOptions {
  /** Absolute. It need not be there yet. */
  readonly folder: string;
  /** Milliseconds between two looks, for file systems that do not tell of changes; 0: none. */
  readonly poll: number;
  /** The texts as they were read last. */
  readonly seen: FolderTexts;
  /** Reads them again. Never rejects. */
  readonly read: () => Promise<FolderTexts>;
  /** A file came, went, or has another text. Never called after `close`. */
  readonly onChange: () => void;
}

/** Watches the files of one folder, as `watchFile` does one file: what counts are their names and texts. Never throws. */
export const watchFolder = ({ folder, poll, seen, read, onChange }: FolderWatchOptions): Watch =>
  watchPath({
    path: join(folder, ANY),
    poll,
    seen: printOf(seen),
    print: async () => printOf(await read()),
    glance: () => glance(folder),
    onChange,
  });

const printOf = (texts: FolderTexts): string => hashOf(JSON.stringify([...texts].map(([path, text]) => [path, text ?? null])));

async function glance(folder: string): Promise<string> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => [`${error.code}`]);
  const stats = names.map(async (name) => {
    const seen = await stat(join(folder, name)).then(sizeAndTime, () => 'missing');
    return `${name}:${seen}`;
  });
  return (await Promise.all(stats)).join('\n');
}
