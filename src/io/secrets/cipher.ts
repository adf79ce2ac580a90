/** The text of the encrypted store, and what is in it. AES-256-GCM (NIST SP 800-38D), one nonce for each value. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;
const FORMAT = 'onemcp-secrets';
const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** One secret as it is stored; binary parts are base64. */
interface Sealed {
  /** ISO 8601; when it was set. */
  readonly set: string;
  readonly nonce: string;
  readonly tag: string;
  readonly text: string;
}

export interface StoreContent {
  /** Tells keys from each other, and nothing about them. */
  readonly keyId: string;
  /** By name. */
  readonly secrets: ReadonlyMap<string, Sealed>;
}

export const keyIdOf = (key: Uint8Array): string => createHmac('sha256', key).update(`${FORMAT} key`).digest('hex').slice(0, 16);

/** @throws Error when a text is no store, or one of a later onemcp */
export function parseStore(text: string): StoreContent {
  const root = parsed(text);
  if (root?.format !== FORMAT) throw new Error('it is no store of secrets of onemcp, or it was damaged');
  if (root.version !== VERSION || root.cipher !== CIPHER) throw new Error('it is of a later version of onemcp; update this one');
  const { key, secrets } = root;
  if (typeof key !== 'string' || typeof secrets !== 'object' || secrets === null) throw new Error('it was damaged');
  const entries = Object.entries(secrets as Record<string, unknown>);
  if (!entries.every(([, sealed]) => isSealed(sealed))) throw new Error('it was damaged');
  return { keyId: key, secrets: new Map(entries as [string, Sealed][]) };
}

export function formatStore({ keyId, secrets }: StoreContent): string {
  const store = { format: FORMAT, version: VERSION, cipher: CIPHER, key: keyId, secrets: Object.fromEntries(secrets) };
  return `${JSON.stringify(store, null, 2)}\n`;
}

/** @param set ISO 8601 */
export function seal(value: string, { key, name, set }: { readonly key: Uint8Array; readonly name: string; readonly set: string }): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(labelOf(name, set));
  const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return { set, nonce: nonce.toString('base64'), tag: cipher.getAuthTag().toString('base64'), text: text.toString('base64') };
}

/** @throws Error when the value was changed, or belongs to another name */
export function unseal({ set, nonce, tag, text }: Sealed, { key, name }: { readonly key: Uint8Array; readonly name: string }): string {
  try {
    const decipher = createDecipheriv(CIPHER, key, Buffer.from(nonce, 'base64'), { authTagLength: TAG_BYTES });
    decipher.setAAD(labelOf(name, set)).setAuthTag(Buffer.from(tag, 'base64'));
    return Buffer.concat([decipher.update(Buffer.from(text, 'base64')), decipher.final()]).toString('utf8');
  } catch {
    // Not the reason of the cipher, and nothing of what it gave before it noticed.
    throw new Error('it was changed by something else than onemcp; set it anew');
  }
}

/** What is authenticated besides a value, so that none can be put under another name. */
const labelOf = (name: string, set: string): Buffer => Buffer.from(JSON.stringify([FORMAT, VERSION, name, set]));

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const isSealed = (value: unknown): value is Sealed =>
  typeof value === 'object' &&
  value !== null &&
  (['set', 'nonce', 'tag', 'text'] as const).every((part) => typeof (value as Record<string, unknown>)[part] === 'string');
