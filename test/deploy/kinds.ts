/** Kubernetes manifests against the published schema of their kind, as a server with strict field validation does it. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
/** Its folder: a kind is the file `group/version/Kind.js` in it. */
const folder = require.resolve('kubernetes-models').replace(/index\.[a-z]+$/, '');

interface Model {
  validate(): void;
}
type Models = Readonly<Record<string, new (data: object) => Model>>;

/**
 * What is wrong with a manifest, one text each: a value its schema refuses, a field its schema does not know. Empty: it is right.
 *
 * The schemas let unknown fields pass, but a validator looks at each field it knows and at no other; so a field nobody looked at
 * is one that is misspelt.
 *
 * @throws Error when there is no such kind
 */
export function flawsOf(document: unknown): readonly string[] {
  const { apiVersion, kind } = document as { apiVersion: string; kind: string };
  const model = modelOf(apiVersion, kind);
  const watched = watch(document as object);
  const found: string[] = [];
  try {
    // Without the constructor, which copies.
    model.prototype.validate.call(watched.value);
  } catch (error) {
    found.push(...(error as Error).message.split(', '));
  }
  return [...found, ...watched.unread().map((path) => `${path} is no field of ${apiVersion} ${kind}`)];
}

function modelOf(apiVersion: string, kind: string): Models[string] {
  try {
    const models = require(`${folder}${apiVersion}/${kind}.js`) as Models;
    return models[kind] as Models[string];
  } catch {
    throw new Error(`Kubernetes has no ${apiVersion} ${kind}`);
  }
}

interface Watched {
  readonly value: object;
  /** Paths of the fields that nobody has read. */
  unread(): readonly string[];
}

function watch(target: object, path = ''): Watched {
  const read = new Map<string, Watched | undefined>();
  const value = new Proxy(target, {
    get(from, key) {
      const found: unknown = Reflect.get(from, key);
      if (typeof key === 'symbol' || !Object.hasOwn(from, key)) return found;
      if (typeof found !== 'object' || found === null) {
        read.set(key, undefined);
        return found;
      }
      const inner = read.get(key) ?? watch(found, `${path}/${key}`);
      read.set(key, inner);
      return inner.value;
    },
  });
  const unread = () => Object.keys(target).flatMap((key) => (read.has(key) ? (read.get(key)?.unread() ?? []) : [`${path}/${key}`]));
  return { value, unread };
}
