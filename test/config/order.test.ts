import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cycles, type Dependent, waves } from '../../src/config/order.ts';

const graph = (edges: Readonly<Record<string, readonly string[]>>): Dependent[] =>
  Object.entries(edges).map(([name, dependsOn]) => ({ name, dependsOn }));

/** Any graph of up to eight servers, with edges to themselves and to nobody. */
const anyGraph = fc
  .uniqueArray(fc.constantFrom(...'abcdefgh'), { minLength: 1 })
  .chain((names) => fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), dependsOn: fc.subarray([...names, 'nobody']) }))));

describe('waves', () => {
  it('are what can start together', () => {
    expect(waves(graph({ web: ['api'], api: ['db', 'cache'], db: [], cache: [], alone: [] }))).toEqual([
      ['db', 'cache', 'alone'],
      ['api'],
      ['web'],
    ]);
    expect(waves([])).toEqual([]);
  });

  it('put everybody behind all he depends on, but for those in a circle or behind one', () => {
    fc.assert(
      fc.property(anyGraph, (servers) => {
        const result = waves(servers);
        const waveOf = new Map(result.flatMap((wave, index) => wave.map((name) => [name, index] as const)));
        const names = new Set(servers.map(({ name }) => name));
        for (const { name, dependsOn } of servers) {
          const known = dependsOn.filter((other) => names.has(other));
          const wave = waveOf.get(name);
          if (wave === undefined) expect(known.some((other) => !waveOf.has(other))).toBe(true);
          else for (const other of known) expect(waveOf.get(other)).toBeLessThan(wave);
        }
        expect(result.flat()).toHaveLength(waveOf.size);
      }),
    );
  });

  it('take a chain and a star of ten thousand', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `s${index}`);
    const chain = many.map((name, index) => ({ name, dependsOn: index === 0 ? [] : [many[index - 1]!] }));
    expect(waves([...chain].reverse())).toHaveLength(10_000);
    expect(waves([...many.map((name) => ({ name, dependsOn: ['hub'] })), { name: 'hub', dependsOn: [] }])).toHaveLength(2);
  });
});

describe('cycles', () => {
  it('are named from where they begin', () => {
    expect(cycles(graph({ first: ['b'], b: ['c'], c: ['b'], x: ['x'], free: [] }))).toEqual([['b', 'c'], ['x']]);
  });

  it('are circles, and none is left without what closes them', () => {
    fc.assert(
      fc.property(anyGraph, (servers) => {
        const found = cycles(servers);
        const edges = new Map(servers.map(({ name, dependsOn }) => [name, new Set(dependsOn)]));
        for (const cycle of found) {
          for (const [index, name] of cycle.entries()) expect(edges.get(name)).toContain(cycle[(index + 1) % cycle.length]);
        }
        for (const cycle of found) edges.get(cycle.at(-1)!)!.delete(cycle[0]!);
        const rest = servers.map(({ name }) => ({ name, dependsOn: [...edges.get(name)!] }));
        // Of very many circles only the first are looked for.
        if (found.length < 20) expect(waves(rest).flat()).toHaveLength(servers.length);
        expect(found.length > 0).toBe(waves(servers).flat().length < servers.length);
      }),
    );
  });
});
