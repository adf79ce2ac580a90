/** Random JSON from a seed: the same seed gives the same text in every process. */
import type { Json } from '../../src/world.ts';

export interface Random {
  /** From 0 to below `end`. */
  below(end: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** A generator for one purpose: `seed` and everything that names the purpose. */
export function randomFor(...purpose: readonly unknown[]): Random {
  // FNV-1a, then mulberry32.
  let state = 0x811c9dc5;
  for (const char of JSON.stringify(purpose)) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    below: (end) => Math.floor(next() * end),
    chance: (probability) => next() < probability,
    pick: (from) => from[random.below(from.length)] as never,
  };
  return random;
}

/** Keys that something may take for its own, and keys that are hard to carry. */
const KEYS = [
  ...['uri', 'name', 'type', 'text', 'content', 'resource', 'method', 'id', 'params', 'result', 'error', 'jsonrpc', 'code', 'data', 'ui'],
  ...['resourceUri', 'cursor', 'uriTemplate', 'requestId', 'token', 'isError', 'tools', 'messages', 'contents', 'ref', 'structured'],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'toJSON',
    'then',
    'length',
    '',
    ' ',
    '0',
    '10',
    '2',
    '-1',
    '1e3',
  ],
  ...['ключ', '键', '🗝️', 'a.b', 'a/b', 'a"b', 'a\\b', '\u0000', '\u2028', '\ud800', 'x-odd', 'X-ODD', 'null', 'true', 'undefined', '$ref'],
];

const TEXTS = [
  ...[
    '',
    ' ',
    'plain',
    'ünïcødé',
    '🎉👩‍👩‍👧',
    '\u0000\u0001\u001f',
    '\u2028\u2029',
    '\ud800',
    '\udc00 alone',
    '\ufeff',
    '\r\n',
    'a\nb',
    '\t',
    '"',
    '\\',
  ],
  ...[
    '{"json":1}',
    '[',
    'null',
    'fuzz://host/path',
    'file:///etc/hosts',
    'https://example.com/a?b#c',
    'under__tool-1',
    'data:text/plain,x',
  ],
  ...[
    '${VAR}',
    '{template}',
    'data: x\n\ndata: y',
    'event: message',
    '0',
    '-0',
    'NaN',
    'é',
    'e\u0301',
    'x'.repeat(3000),
    '日本語'.repeat(200),
  ],
];

// Only numbers that IEEE 754 doubles can carry: what JSON cannot promise, no gateway can.
const NUMBERS = [0, 1, -1, 0.1, 1e-7, 1e21, -1e300, 5e-324, 2 ** 53 - 1, -(2 ** 53), 2 ** 63, 1.7976931348623157e308, Math.PI];

/** Any JSON value as text, so that every key is written as it is. */
function jsonText(random: Random, depth = 4): string {
  const kind = random.below(depth > 0 ? 9 : 6);
  if (kind === 0) return 'null';
  if (kind === 1) return random.pick(['true', 'false']);
  if (kind === 2) return String(random.pick(NUMBERS));
  if (kind === 3) return random.pick(['12345678901234567890', '1E3', '-0', '1.0', '0.10', '1e-400', '123456789.123456789123']);
  if (kind < 6) return JSON.stringify(random.pick(TEXTS));
  if (kind === 6) return `[${Array.from({ length: random.below(4) }, () => jsonText(random, depth - 1)).join(',')}]`;
  return `{${fieldsText(random, depth - 1)}}`;
}

/** Fields of an object: no key twice. */
function fieldsText(random: Random, depth: number): string {
  const keys = new Set(Array.from({ length: random.below(5) }, () => random.pick(KEYS)));
  return [...keys].map((key) => `${JSON.stringify(key)}:${jsonText(random, depth)}`).join(',');
}

export const anyJson = (random: Random, depth?: number): unknown => JSON.parse(jsonText(random, depth));

/** Deep brackets, not broad ones. */
export function nested(random: Random): unknown {
  const depth = 1 + random.below(60);
  return JSON.parse(random.chance(0.5) ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}null${'}'.repeat(depth)}`);
}

/** An object with its known fields and random ones, in random order. */
export function spiced(random: Random, known: Json, { meta = true, reserved = [] as readonly string[] } = {}): Json {
  const fields = Object.entries(known).map(([key, value]) => [key, JSON.stringify(value)] as const);
  const taken = new Set([...Object.keys(known), ...reserved, '_meta']);
  for (let more = random.below(4); more > 0; more--) {
    const key = random.pick(KEYS);
    if (taken.has(key)) continue;
    taken.add(key);
    fields.push([key, random.chance(0.1) ? JSON.stringify(nested(random)) : jsonText(random, 3)]);
  }
  if (meta && known._meta === undefined && random.chance(0.4)) fields.push(['_meta', JSON.stringify(metaOf(random))]);
  for (let at = fields.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [fields[at], fields[other]] = [fields[other] as (typeof fields)[0], fields[at] as (typeof fields)[0]];
  }
  return JSON.parse(`{${fields.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`) as Json;
}

/** `_meta` with vendor keys; never a key that belongs to one hop. */
export function metaOf(random: Random): Json {
  const meta = spiced(random, { 'example.com/vendor': anyJson(random, 2) }, { meta: false });
  if (random.chance(0.2)) meta.ui = spiced(random, { resourceUri: uriOf(random) }, { meta: false });
  if (random.chance(0.1)) meta['ui/resourceUri'] = uriOf(random);
  return meta;
}

export const SCHEMES = ['fuzz://', 'ui://', 'file:///', 'urn:', 'https://example.com/', 'data:,', 'odd+scheme-1.0:', 'onemcp://other/'];

export const uriOf = (random: Random, schemes: readonly string[] = SCHEMES): string =>
  `${random.pick(schemes)}${random.pick(['a', 'a/b%20c', 'ä?q=1#f', '%2e%2e/x', 'A//b/'])}`;
