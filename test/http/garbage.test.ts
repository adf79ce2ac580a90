import { expect, it } from 'vitest';
import { createGarbage } from '../../src/http/garbage.ts';

it('is collected each time so much was given up', () => {
  let collections = 0;
  const garbage = createGarbage(100, () => void collections++);
  const after = [60, 39, 1, 99, 1000, 10].map((bytes) => {
    garbage.add(bytes);
    return collections;
  });
  expect(after).toEqual([0, 0, 1, 1, 2, 2]);
});

it('V8 gives up at once what nobody holds, and has no gc() for anybody else', async () => {
  const held = () => process.memoryUsage().arrayBuffers;
  // Old enough not to be found by a collection of the young.
  let buffers = Array.from({ length: 8 }, () => Buffer.alloc(1024 * 1024));
  const before = held();
  buffers = [];
  createGarbage(1).add(1);
  for (let turn = 0; turn < 20 && held() > before - 8 * 1024 * 1024; turn++) await new Promise((resolve) => setTimeout(resolve, 50));
  expect([buffers.length, held()]).toEqual([0, expect.toSatisfy((bytes) => bytes <= before - 8 * 1024 * 1024)]);
  expect('gc' in globalThis).toBe(false);
});
