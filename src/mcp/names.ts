import { createHash } from 'node:crypto';

/** Characters that every host accepts in tool names. */
const ILLEGAL = /[^A-Za-z0-9_-]/g;
const SEPARATOR = '__';
const HASH_LENGTH = 6;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * The exposed name of a tool or prompt: `namespace__name`, only `[A-Za-z0-9_-]`, at most `maxLength` characters. A name
 * that had to change ends in a hash of the original. It depends on nothing but its arguments, so it survives restarts,
 * replicas and other backends coming and going. MCP server/tools §Tool Names.
 * @param taken names that are already given within the same backend
 */
export function exposeName(namespace: string, original: string, maxLength: number, taken: ReadonlySet<string>): string {
  const prefix = namespace === '' ? '' : namespace + SEPARATOR;
  const plain = prefix + original.replace(ILLEGAL, '_');
  if (plain === prefix + original && plain.length <= maxLength && !taken.has(plain)) return plain;
  const kept = Math.max(0, maxLength - HASH_LENGTH - 1);
  // Where no room is left for the whole namespace, the hash has to tell the backends apart.
  for (let attempt = kept < prefix.length ? prefix + original : original; ; attempt += ' ') {
    const hashed = `${plain.slice(0, kept)}_${shortHash(attempt)}`;
    if (!taken.has(hashed)) return hashed;
  }
}

/** An exposed name of the form `namespace__rest` taken apart; a namespace has no `_`, so there is one way only. */
export function splitName(exposed: string): { readonly namespace: string; readonly rest: string } | undefined {
  const at = exposed.indexOf(SEPARATOR);
  return at > 0 ? { namespace: exposed.slice(0, at), rest: exposed.slice(at + SEPARATOR.length) } : undefined;
}

/** Six base32 characters of the SHA-256 of a text. */
function shortHash(text: string): string {
  const bytes = createHash('sha256').update(text).digest();
  return Array.from(bytes.subarray(0, HASH_LENGTH), (byte) => BASE32[byte % 32]).join('');
}
