import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OnemcpError } from '../../src/errors.ts';
import { createCursors, pageAfter } from '../../src/mcp/page.ts';
import type { ListView } from '../../src/mcp/view.ts';
import { codeOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const cursors = createCursors(Buffer.from('key'));
const position = { backend: 'a', name: 'b', place: 3 };

const refused = (kind: 'tools' | 'prompts', cursor: unknown): OnemcpError['code'] | 'accepted' => {
  try {
    cursors.decode(kind, cursor);
    return 'accepted';
  } catch (error) {
    return codeOf(error);
  }
};

describe('a cursor', () => {
  it('comes back as the position it was made of', () => {
    expect(cursors.decode('tools', cursors.encode('tools', position))).toEqual(position);
  });

  it('that is absent starts at the beginning', () => {
    expect([cursors.decode('tools', undefined), cursors.decode('tools', null)]).toEqual([undefined, undefined]);
  });

  it(verifies('B25', 'of another list is refused'), () => {
    expect(refused('tools', cursors.encode('prompts', position))).toBe('invalid_params');
  });

  it(verifies('B25', 'that we did not make is refused, whatever it is'), () => {
    for (const cursor of ['', '.', 'x', 'e30.e30', 1, {}, [], true])
      expect([cursor, refused('tools', cursor)]).toEqual([cursor, 'invalid_params']);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.anything()), (cursor) => {
        fc.pre(cursor !== undefined && cursor !== null);
        expect(refused('tools', cursor)).toBe('invalid_params');
      }),
    );
  });

  it(verifies('B25', 'with one changed character is refused'), () => {
    const cursor = cursors.encode('tools', position);
    // The last character of base64url may carry unused bits, so it is left alone.
    fc.assert(
      fc.property(fc.nat(cursor.length - 2), fc.constantFrom('A', 'B', '_', '.'), (at, character) => {
        fc.pre(cursor[at] !== character);
        expect(refused('tools', cursor.slice(0, at) + character + cursor.slice(at + 1))).toBe('invalid_params');
      }),
    );
  });

  it('of a gateway with another key is refused, of one with the same key accepted', () => {
    expect(refused('tools', createCursors(Buffer.from('other')).encode('tools', position))).toBe('invalid_params');
    expect(createCursors(Buffer.from('key')).decode('tools', cursors.encode('tools', position))).toEqual(position);
  });
});

describe('pages', () => {
  type Ids = Readonly<Record<string, readonly number[]>>;
  const named = (id: number) => `t${String(id).padStart(3, '0')}`;
  const namesIn = (ids: Ids) => Object.entries(ids).flatMap(([backend, list]) => list.map((id) => `${backend}__${named(id)}`));
  /** What a view would show of backends with these tools. */
  const listOf = (ids: Ids): ListView => {
    const all = Object.entries(ids).flatMap(([backend, list]) => list.map((id) => [backend, named(id)] as const));
    return {
      items: all.map(([backend, name]) => ({ name: `${backend}__${name}` })),
      routes: new Map(all.map(([backend, name]) => [`${backend}__${name}`, { backend, name }])),
      hidden: [],
    };
  };
  /** Every name of a walk, with the lists changing after the first page. */
  const walk = (first: Ids, later: Ids, size: number) => {
    const names: string[] = [];
    let position: ReturnType<typeof pageAfter>['next'];
    for (let page = 0; page < 100; page++) {
      const ids = page === 0 ? first : later;
      const { items, next } = pageAfter(listOf(ids), { backends: Object.keys(ids), position, size, bytes: 1e9 });
      names.push(...items.map(({ name }) => name as string));
      if (!next) return names;
      position = next;
    }
    throw new Error('the walk does not end');
  };
  const ids = fc.uniqueArray(fc.nat(40), { maxLength: 20 }).map((list) => list.toSorted((a, b) => a - b));

  it('cover a list exactly, whatever their size', () => {
    fc.assert(
      fc.property(fc.record({ a: ids, b: ids }), fc.integer({ min: 1, max: 60 }), (lists, size) => {
        expect(walk(lists, lists, size)).toEqual(namesIn(lists));
      }),
    );
  });

  it(verifies('B24', 'list nothing twice and skip nothing that stayed when items come and go between two pages'), () => {
    const property = fc.property(
      fc.record({ z: ids, a: ids }),
      fc.record({ z: ids, a: ids }),
      fc.integer({ min: 1, max: 10 }),
      (before, after, size) => {
        const seen = walk(before, after, size);
        expect(new Set(seen).size).toBe(seen.length);
        const stayed = namesIn(before).filter((name) => namesIn(after).includes(name));
        for (const name of stayed) expect(seen).toContain(name);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it(verifies('B24', 'skip nothing when a whole backend is removed between two pages'), () => {
    const property = fc.property(
      fc.record({ c: ids, a: ids, b: ids }),
      fc.constantFrom('a', 'b', 'c'),
      fc.integer({ min: 1, max: 10 }),
      (before, gone, size) => {
        const after = Object.fromEntries(Object.entries(before).filter(([backend]) => backend !== gone));
        const seen = walk(before, after, size);
        expect(new Set(seen).size).toBe(seen.length);
        for (const name of namesIn(after)) expect(seen).toContain(name);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it('cover a list exactly, whatever their bytes: each has one item at least, and no more than fit', () => {
    fc.assert(
      fc.property(ids, fc.integer({ min: 1, max: 200 }), (list, bytes) => {
        const view = listOf({ a: list });
        const names: unknown[] = [];
        let position: ReturnType<typeof pageAfter>['next'];
        do {
          const page = pageAfter(view, { backends: ['a'], position, size: 1_000, bytes });
          names.push(...page.items.map(({ name }) => name));
          if (list.length > 0) expect(page.items.length).toBeGreaterThan(0);
          if (page.items.length > 1)
            expect(Buffer.byteLength(page.items.map((item) => JSON.stringify(item)).join(''))).toBeLessThanOrEqual(bytes);
          position = page.next;
        } while (position);
        expect(names).toEqual(namesIn({ a: list }));
      }),
    );
  });

  it('of an empty list is one, without a cursor', () => {
    expect(pageAfter({ items: [], routes: new Map(), hidden: [] }, { backends: [], position: undefined, size: 10, bytes: 1 })).toEqual({
      items: [],
      next: undefined,
    });
  });
});
