import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createStderrBook } from '../../src/io/stderrBook.ts';

const book = (lines: number, bytes = 1_000_000) => createStderrBook({ lines, bytes, now: () => 7 });
const texts = (answer: ReturnType<ReturnType<typeof book>['read']>) => answer.lines.map(({ backend, line }) => `${backend}:${line}`);

it('has the newest lines of all in their order, or of one, and only those after a number', () => {
  const { add, read } = book(10);
  for (const [backend, line] of ['a1', 'b2', 'a3', 'b4'].map((text) => [...text] as [string, string])) add(backend, line);
  expect(texts(read({ after: 0, most: 3 }))).toEqual(['b:2', 'a:3', 'b:4']);
  const first = read({ backend: 'a', after: 0, most: 9 });
  expect([texts(first), first.last]).toEqual([['a:1', 'a:3'], 4]);
  add('a', '5');
  expect(read({ backend: 'a', after: first.last, most: 9 })).toEqual({ last: 5, lines: [{ seq: 5, at: 7, backend: 'a', line: '5' }] });
  expect(read({ backend: 'c', after: 0, most: 9 }).lines).toEqual([]);
});

it('never has more of a backend than it may, and always its newest line', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 30 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 10, max: 60 }),
      (lines, most, bytes) => {
        const { add, read } = book(most, bytes);
        for (const line of lines) add('a', line);
        const kept = read({ after: 0, most: 1_000 }).lines.map(({ line }) => line);
        expect(kept).toEqual(lines.slice(lines.length - kept.length));
        expect(kept.length).toBeGreaterThan(0);
        expect(kept.length).toBeLessThanOrEqual(most);
        if (kept.length > 1) expect(kept.join('').length).toBeLessThanOrEqual(bytes);
        // No line is left out that would have had room.
        const next = lines[lines.length - kept.length - 1];
        if (next !== undefined && kept.length < most) expect(next.length + kept.join('').length).toBeGreaterThan(bytes);
      },
    ),
  );
});
