import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitsWith } from '../../src/limits.ts';
import { hidesSomething, quoted, tidied, visible } from '../../src/mcp/hygiene.ts';
import type { Json } from '../../src/world.ts';
import { tool } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const LIMITS = limitsWith();
const tags = (text: string) => [...text].map((character) => String.fromCodePoint(0xe0000 + character.charCodeAt(0))).join('');
/** Anything that a tidy item may not hold outside of data, and no text of an ordinary server has. */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

describe('a text without what nobody sees', () => {
  it.each([
    ['tags', `Adds.${tags('ignore all')}`, 'Adds.'],
    ['zero width', 'A\u200bdd\u2060s\ufeff', 'Adds'],
    ['joiners between letters of ours', 'A\u200dd\u200cds', 'Adds'],
    ['runs of joiners', 'क\u200d\u200d\u200cष', 'कष'],
    ['bidi', 'safe\u202eelif\u2066x\u2069\u200f', 'safeelifx'],
    ['escapes', '\u001b[31mred\u009b0m\u0007', '[31mred0m'],
    ['a lone carriage return', 'shown\rhidden', 'shownhidden'],
    ['bytes in variations', `😀\ufe0f${'\u{e0101}\u{e0102}'.repeat(8)}!`, '😀\ufe0f!'],
    ['variations hidden by others', '😀\ufe0f\u200b\ufe0f\u200b\ufe0f', '😀'],
    ['soft hyphens', 'pass\u00adword', 'password'],
  ])('has no %s', (_, text, clean) => expect(visible(text)).toBe(clean));

  it.each([
    ['lines', 'one\n\ttwo\r\nthree'],
    ['letters of all kinds', 'Grüße, Привет, 你好, שלום, مرحبا, 한국어'],
    ['joined letters', 'می\u200cخواهم क्\u200dष'],
    ['emoji', '👨‍👩‍👧 🏳️‍🌈 👍🏽 ❤️ 1️⃣'],
    ['variations of ideographs', '葛\u{e0100}'],
  ])('keeps %s', (_, text) => expect(visible(text)).toBe(text));
});

describe('names', () => {
  it.each(['a\nb', 'a\u0000', 'a\u001b[0m', 'a\u200b', 'a\u202eb', 'a\u2028', `a${tags('b')}`])(
    'that hide something are found: %j',
    (name) => {
      expect(hidesSomething(name)).toBe(true);
      expect(quoted(name)).toMatch(/^[ -~]+$/);
    },
  );
  it.each(['echo', 'get_weather.v2', 'größe', '工具', 'a b', 'file:///a/{b}'])('that hide nothing are left alone: %s', (name) =>
    expect([hidesSomething(name), quoted(name)]).toEqual([false, JSON.stringify(name)]),
  );
});

describe('an item', () => {
  it(verifies('item-hygiene', 'is the same object where nothing had to change'), () => {
    const item = tool('t', { description: 'Line one\nLine two', annotations: { title: 'T' }, _meta: { description: 'x\u200b' } });
    expect(tidied(item, LIMITS)).toEqual({ item, notes: [] });
    expect((tidied(item, LIMITS) as { item: Json }).item).toBe(item);
  });

  it(verifies('item-hygiene', 'loses what is hidden in its texts, however deep, and nothing of its data'), () => {
    const hidden = `x${tags('go')}`;
    const item = tool('t', {
      description: hidden,
      annotations: { title: hidden, readOnlyHint: true },
      inputSchema: {
        type: 'object',
        properties: { title: { type: 'string', description: hidden, default: { title: hidden } }, description: { enum: [hidden] } },
        anyOf: [{ description: hidden }, { const: hidden }],
      },
      _meta: { title: hidden },
      other: hidden,
    });
    expect(tidied(item, LIMITS)).toEqual({
      item: {
        ...item,
        description: 'x',
        annotations: { title: 'x', readOnlyHint: true },
        inputSchema: {
          type: 'object',
          properties: { title: { type: 'string', description: 'x', default: { title: hidden } }, description: { enum: [hidden] } },
          anyOf: [{ description: 'x' }, { const: hidden }],
        },
      },
      notes: ['invisible characters were taken out of its texts'],
    });
  });

  it(verifies('item-hygiene', 'has descriptions of at most item.maxDescription bytes, cut between characters, and says so'), () => {
    const { item, notes } = tidied(tool('t', { description: 'é😀'.repeat(3_000) }), LIMITS) as { item: Json; notes: string[] };
    const text = String(item.description);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8 * 1024);
    expect([text.endsWith('…(truncated)'), /\p{Cs}/u.test(text), notes]).toEqual([
      true,
      false,
      ['a text of it was cut to 8192 bytes (item.maxDescription)'],
    ]);
    const fits = tool('t', { description: 'x'.repeat(8 * 1024) });
    expect((tidied(fits, LIMITS) as { item: Json }).item).toBe(fits);
  });

  it(verifies('item-hygiene', 'that is too deep or too large is not one'), () => {
    const nested = (depth: number): Json => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as Json;
    expect(tidied(tool('t', { inputSchema: nested(255) }), LIMITS)).toMatchObject({ notes: [] });
    expect(tidied(tool('t', { inputSchema: nested(256) }), LIMITS)).toBe('it is nested deeper than 256 levels (item.maxDepth)');
    expect(tidied(tool('t', { inputSchema: nested(5_000) }), LIMITS)).toMatch(/deeper/);
    expect(tidied(tool('t', { inputSchema: { enum: Array(600_000).fill('ab') } }), LIMITS)).toMatch(/item\.maxBytes/);
  });

  it(verifies('item-hygiene', 'cannot reach the prototype of anything'), () => {
    const item = JSON.parse(
      '{"name":"__proto__","description":"a\\u200b","inputSchema":{"properties":{"__proto__":{"polluted":1,"title":"x\\u200b"}},"constructor":{"prototype":{"polluted":1}}}}',
    ) as Json;
    const tidy = (tidied(item, LIMITS) as { item: Json }).item;
    expect(JSON.stringify(tidy)).toBe(JSON.stringify(item).replaceAll('\u200b', ''));
    expect(({} as Json).polluted).toBeUndefined();
  });

  it('is tidy afterwards, whatever it was: nothing hidden, nothing else changed, and nothing left to do', () => {
    const dirty = fc.array(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.constantFrom('\u200b', '\u202e', tags('x'), '\u200d', '\ufe0f', '\ufe00', 'क', '\r', '👨‍👩‍👧'),
      ),
    );
    const text = dirty.map((parts) => parts.join(''));
    const schema = fc.letrec((tie) => ({
      node: fc.record(
        {
          description: text,
          title: text,
          type: fc.constant('object'),
          default: fc.jsonValue(),
          properties: fc.dictionary(text, tie('node'), { maxKeys: 3 }),
        },
        { requiredKeys: [] },
      ),
    })).node;
    fc.assert(
      fc.property(text, schema, (description, inputSchema) => {
        const item = JSON.parse(JSON.stringify(tool('t', { description, inputSchema }))) as Json;
        const first = tidied(item, LIMITS) as { item: Json; notes: string[] };
        expect(String(first.item.description)).not.toMatch(HIDDEN);
        expect((tidied(first.item, LIMITS) as { item: Json }).item).toBe(first.item);
        expect(first.notes.length === 0).toBe(first.item === item);
        const skeleton = (_: string, value: unknown) => value;
        const without = (json: Json) =>
          JSON.stringify(json, (key, value) =>
            (key === 'description' || key === 'title') && typeof value === 'string' ? '' : skeleton(key, value),
          );
        expect(without(first.item)).toBe(without(item));
      }),
    );
  });
});
