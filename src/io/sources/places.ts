import { readlink, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, parse, sep } from 'node:path';

/** A folder, and the names in it whose change may change a file. */
export interface Place {
  readonly folder: string;
  readonly names: Set<string>;
}

/** The links on one way; more are a circle. POSIX SYMLOOP_MAX is at least 8, Linux has 40. */
const MOST_LINKS = 40;

/**
 * Where to watch for a change of a file, by folder and inode: where it is, and where each symbolic link on the way to it is. Of
 * a way that ends too early the last folder that is there, with the name that is missing.
 */
export async function placesOf(file: string): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  const add = async (folder: string, name: string) => {
    const inode = await stat(folder, { bigint: true }).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      () => 'gone',
    );
    const key = `${inode}:${folder}`;
    const place = places.get(key) ?? { folder, names: new Set<string>() };
    place.names.add(name);
    places.set(key, place);
  };

  let { root: at } = parse(file);
  let rest = segments(file);
  for (let links = 0; rest.length > 0; ) {
    const [name, ...more] = rest as [string, ...string[]];
    if (name === '..') {
      at = dirname(at);
      rest = more;
      continue;
    }
    const path = join(at, name);
    const link = await readlink(path).catch((error: NodeJS.ErrnoException) => error);
    if (typeof link === 'string') {
      await add(at, name);
      if (++links > MOST_LINKS) break;
      if (isAbsolute(link)) at = parse(link).root;
      rest = [...segments(link), ...more];
      continue;
    }
    // EINVAL: it is there and no link.
    if (more.length === 0 || link.code !== 'EINVAL') {
      await add(at, name);
      break;
    }
    at = path;
    rest = more;
  }
  return places;
}

const segments = (path: string): string[] =>
  path
    .slice(parse(path).root.length)
    .split(sep)
    .filter((segment) => segment !== '' && segment !== '.');
