import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RequestTable } from '../../src/io/requestTable.ts';

it('does what a Map with numbers as keys does, in any order of events', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(300))), (steps) => {
      const table = new RequestTable<{ id: number }>();
      const map = new Map<number, { id: number }>();
      let next = 1;
      for (const [adds, choice] of steps) {
        if (adds) {
          const entry = { id: next++ };
          table.add(entry);
          map.set(entry.id, entry);
        } else {
          const id = (choice % next) + 1;
          expect(table.take(id)).toBe(map.get(id));
          map.delete(id);
        }
        expect(table.size).toBe(map.size);
      }
      expect(table.all()).toEqual([...map.values()]);
      for (let id = 0; id <= next; id++) expect(table.get(id)).toBe(map.get(id));
    }),
  );
});

it('knows only ids of its own kind', () => {
  const table = new RequestTable<{ id: number }>();
  table.add({ id: 1 });
  for (const id of ['1', 1.5, -63, 65, Number.NaN]) expect([table.get(id), table.take(id)]).toEqual([undefined, undefined]);
  expect(table.size).toBe(1);
});
