import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonDepthExceeds } from '../../src/json.ts';

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

describe('JSON depth', () => {
  it('counts arrays and objects', () => {
    const nested = `${'[{"a":'.repeat(5)}1${'}]'.repeat(5)}`;
    expect(jsonDepthExceeds(nested, 10)).toBe(false);
    expect(jsonDepthExceeds(nested, 9)).toBe(true);
  });

  it('does not count brackets in strings, whatever is escaped in them', () => {
    expect(jsonDepthExceeds(JSON.stringify(['[[[[', '\\"[[[', '\\\\', '{{{{\\']), 1)).toBe(false);
    expect(jsonDepthExceeds('["\\\\",[1]]', 1)).toBe(true);
  });

  it('agrees with a parser', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(8), (value, max) => {
        expect(jsonDepthExceeds(JSON.stringify(value), max)).toBe(depthOf(value) > max);
      }),
    );
  });

  it('survives what would overflow a parser', () => {
    expect(jsonDepthExceeds('['.repeat(5_000_000), 256)).toBe(true);
  });
});
