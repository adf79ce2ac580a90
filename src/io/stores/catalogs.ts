import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import type { BackendSpec, MaybeSecret } from '../../config/config.ts';
import { isObject } from '../../json.ts';
import { type BackendInfo, type Items, type Json, KINDS, type Remembered } from '../../world.ts';
import type { Log } from '../deps.ts';
import type { Store } from './store.ts';

/** What backends offered when they were last seen, kept from one run to the next. */
export interface Catalogs {
  /** What is known of a backend, if it was the same program or server then. */
  recall(spec: BackendSpec): Remembered | undefined;
  /** Replaces everything that is kept. @throws what the store says of a text it cannot put */
  save(known: readonly Known[]): Promise<void>;
  /** Resolves when everything is written. */
  close(): Promise<void>;
}

/** A backend of which something is known. */
export interface Known extends Remembered {
  readonly spec: BackendSpec;
}

export interface CatalogsOptions {
  readonly store: Store;
  /** Absolute path of the configuration file: each has its own document. */
  readonly file: string;
  /** Most bytes that are kept; the largest backends are left out first. */
  readonly maxBytes: number;
  readonly redact: (text: string) => string;
  readonly log: Log;
  readonly now: () => number;
}

/** One configuration file's document. `at` is in milliseconds since the epoch, `savedAt` is ISO 8601. */
interface CatalogDocument {
  readonly version: typeof VERSION;
  readonly file: string;
  readonly savedAt: string;
  readonly backends: Readonly<Record<string, Entry>>;
}

interface Entry extends Remembered {
  /** See `identityOf`. */
  readonly hash: string;
}

const VERSION = 1;

/** Key of the document of a configuration file. */
export const catalogKey = (file: string): string => sha256(file).slice(0, 16);

/** The catalogs on a store; what it holds is read at once. */
export function createCatalogs({ store, file, maxBytes, redact, log, now }: CatalogsOptions): Catalogs {
  const key = catalogKey(file);
  const known = read(store, key);
  /** What was said already, so that it is said once. */
  const told = new Set<string>();
  const tell = (name: string, why: string) => {
    const message = `${name}: its lists are not kept for the next start: ${why}`;
    if (told.has(message)) return;
    told.add(message);
    log('warn', 'catalog.left_out', { message, backend: name });
  };

  const textOf = ({ spec, at, info, items }: Known): string | undefined => {
    try {
      const text = JSON.stringify({ hash: identityOf(spec, redact), at, info, items } satisfies Entry);
      // A schema with holes would be worse than none, and would change as soon as the backend is up.
      if (redact(text) === text) return text;
      tell(spec.name, 'they contain a secret of the configuration');
    } catch (error) {
      tell(spec.name, (error as Error).message);
    }
    return undefined;
  };

  return {
    recall(spec) {
      const entry = known.get(spec.name);
      if (entry?.hash !== identityOf(spec, redact)) return undefined;
      const { items, info, at } = entry;
      return { items, info, at };
    },
    async save(all) {
      const texts = new Map<string, string>();
      for (const one of all) {
        const text = textOf(one);
        if (text !== undefined) texts.set(one.spec.name, text);
        // Large lists take milliseconds each, and calls go on meanwhile.
        await breathe();
      }
      for (const name of tooMuch(texts, maxBytes)) {
        texts.delete(name);
        tell(name, `all together would have more than ${maxBytes} bytes (catalog.maxBytes)`);
      }
      const head = JSON.stringify({ version: VERSION, file, savedAt: new Date(now()).toISOString() });
      const backends = [...texts].map(([name, text]) => `${JSON.stringify(name)}:${text}`);
      await store.put(key, `${head.slice(0, -1)},"backends":{${backends.join(',')}}}\n`);
    },
    close: () => store.close(),
  };
}

/**
 * What decides which catalog a backend has, as a hash: another program or address has another one. Secrets count as
 * `***`, values of the environment and of headers not at all: a digest of a secret value would give it away to whoever
 * can guess it.
 */
function identityOf(spec: BackendSpec, redact: (text: string) => string): string {
  const what =
    spec.kind === 'stdio'
      ? [spec.kind, String(spec.command), spec.args.map(String), spec.cwd, Object.keys(spec.env).sort()]
      : [spec.kind, spec.type, addressOf(spec.url), Object.keys(spec.headers).sort()];
  return sha256(redact(JSON.stringify(what)));
}

/** A URL without what may be secret in it: user, password, and the values of its query. */
function addressOf(url: MaybeSecret): unknown {
  if (typeof url !== 'string') return String(url);
  const { protocol, host, pathname, searchParams } = new URL(url);
  return [protocol, host, pathname, [...searchParams.keys()].sort()];
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Whose texts have to go, the largest first, so that the rest is not too much. */
function tooMuch(texts: ReadonlyMap<string, string>, maxBytes: number): readonly string[] {
  const sizes = [...texts].map(([name, text]) => ({ name, bytes: Buffer.byteLength(text) })).sort((a, b) => b.bytes - a.bytes);
  let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  const out: string[] = [];
  for (const { name, bytes } of sizes) {
    if (total <= maxBytes) break;
    out.push(name);
    total -= bytes;
  }
  return out;
}

function read(store: Store, key: string): ReadonlyMap<string, Entry> {
  const text = store.get(key);
  if (text === undefined) return new Map();
  const found = parse(text);
  // A document of another version makes sense to another version.
  if (isObject(found) && typeof found.version === 'number' && found.version !== VERSION) return new Map();
  if (!isDocument(found)) {
    store.setAside(key);
    return new Map();
  }
  return new Map(Object.entries(found.backends));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isDocument = (value: unknown): value is CatalogDocument =>
  isObject(value) && value.version === VERSION && isObject(value.backends) && Object.values(value.backends).every(isEntry);

const isEntry = (value: unknown): value is Entry =>
  isObject(value) && typeof value.hash === 'string' && typeof value.at === 'number' && isInfo(value.info) && isItems(value.items);

const isInfo = (value: unknown): value is BackendInfo =>
  isObject(value) &&
  typeof value.protocolVersion === 'string' &&
  isObject(value.serverInfo) &&
  isObject(value.capabilities) &&
  (value.instructions === undefined || typeof value.instructions === 'string');

const isItems = (value: unknown): value is Items => isObject(value) && KINDS.every((kind) => isList(value[kind], ID[kind]));

const isList = (value: unknown, id: string): value is readonly Json[] =>
  Array.isArray(value) && value.every((item) => isObject(item) && typeof item[id] === 'string');

/** What identifies an item of each kind. */
const ID = { tools: 'name', prompts: 'name', resources: 'uri', templates: 'uriTemplate' } as const;
