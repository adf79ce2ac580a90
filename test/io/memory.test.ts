import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryOf } from '../../src/io/memory.ts';
import { closeAll, connect } from './stdioKit.ts';

afterEach(closeAll);

describe('the memory of a backend', () => {
  it.skipIf(process.platform !== 'linux')('is that of its whole process group', async () => {
    const memoryOf = createMemoryOf();
    const alone = await connect('good');
    const family = await connect('forks-children');
    const one = (await memoryOf(alone.transport.pid as number)) as number;
    // A Node process takes some 40 MiB.
    expect(one).toBeGreaterThan(10 * 1024 ** 2);
    // The child of the other is still starting.
    await expect.poll(() => memoryOf(family.transport.pid as number), { timeout: 5_000 }).toBeGreaterThan(1.5 * one);
  });

  it('is not known of a group that is not there, nor where it cannot be read', async () => {
    const broken = createMemoryOf(() => Promise.reject(new Error('no /proc')));
    expect([await createMemoryOf()(2 ** 30), await broken(1)]).toEqual([undefined, undefined]);
  });

  it('is read once for all who ask at the same time', async () => {
    let readings = 0;
    const memoryOf = createMemoryOf(async () => {
      readings++;
      return new Map([
        [1, 10],
        [2, 20],
      ]);
    });
    expect([await Promise.all([memoryOf(1), memoryOf(2), memoryOf(3)]), readings]).toEqual([[10, 20, undefined], 1]);
  });
});
