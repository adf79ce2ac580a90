import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposeName, splitName } from '../../src/mcp/names.ts';
import { verifies } from '../support/verifies.ts';

const NOTHING = new Set<string>();
const namespace = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/);
const original = fc.oneof(
  fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
  fc.stringMatching(/^[A-Za-z0-9_.~/-]{1,90}$/),
  fc.array(fc.constantFrom('a', '__', '.', '~', '_'), { minLength: 1, maxLength: 8 }).map((parts) => parts.join('')),
);

/** The exposed names of one backend, as the view gives them. */
function exposeAll(space: string, originals: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return originals.map((name) => {
    const exposed = exposeName(space, name, 64, taken);
    taken.add(exposed);
    return exposed;
  });
}

describe('an exposed name', () => {
  it.each([
    ['github', 'search', 'github__search'],
    ['a', 'x__y', 'a__x__y'],
    ['a', 'x-y_Z9', 'a__x-y_Z9'],
    ['', 'search', 'search'],
  ])('of %j and %j is %j', (space, name, exposed) => {
    expect(exposeName(space, name, 64, NOTHING)).toBe(exposed);
  });

  it(verifies('C42', 'has only characters every host accepts, at most 64, whatever the original is'), () => {
    fc.assert(
      fc.property(namespace, original, (space, name) => {
        const exposed = exposeName(space, name, 64, NOTHING);
        expect(exposed).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        expect(exposed.startsWith(`${space}__`)).toBe(true);
      }),
    );
  });

  it(verifies('C42', 'with a dot ends in a hash that never changes from one release to the next'), () => {
    expect(exposeName('a', 'admin.tools.list', 64, NOTHING)).toBe('a__admin_tools_list_ot6roj');
  });

  it(verifies('C43', 'of 100 characters is cut to 64, and two with the same start differ'), () => {
    const [one, two] = exposeAll('srv', [`${'x'.repeat(99)}1`, `${'x'.repeat(99)}2`]) as [string, string];
    expect([one.length, two.length]).toEqual([64, 64]);
    expect(one).not.toBe(two);
    expect(exposeName('srv', `${'x'.repeat(99)}1`, 64, NOTHING)).toBe(one);
  });

  it('obeys a smaller limit', () => {
    expect(exposeName('srv', 'x'.repeat(60), 32, NOTHING)).toHaveLength(32);
  });

  it(verifies('C42', 'tells two backends apart although the limit leaves no room for their namespaces'), () => {
    const [a, b] = ['a', 'b'].map((end) => exposeName('x'.repeat(31) + end, 'search', 32, NOTHING)) as [string, string];
    expect([a.length, b.length]).toEqual([32, 32]);
    expect(a).not.toBe(b);
    expect(exposeName('srv', 'search', 1, NOTHING)).toMatch(/^_[a-z2-7]{6}$/);
  });

  it(verifies('C43', 'is unique within its backend'), () => {
    fc.assert(
      fc.property(namespace, fc.uniqueArray(original, { maxLength: 30 }), (space, names) => {
        const exposed = exposeAll(space, [...names].sort());
        expect(new Set(exposed).size).toBe(names.length);
      }),
    );
  });

  it('is unique although a tool has the name that the hash of another gives', () => {
    const [hashed] = exposeAll('a', ['x~y']) as [string];
    const decoy = hashed.slice('a__'.length);
    const exposed = exposeAll('a', [decoy, 'x~y'].sort());
    expect(new Set(exposed).size).toBe(2);
  });

  it(verifies('C46', 'depends on nothing outside its backend: names of two backends never meet'), () => {
    fc.assert(
      fc.property(fc.uniqueArray(namespace, { minLength: 2, maxLength: 2 }), original, original, ([a, b], x, y) => {
        expect(exposeName(a as string, x, 64, NOTHING)).not.toBe(exposeName(b as string, y, 64, NOTHING));
      }),
    );
  });
});

it('an exposed name is taken apart at the first separator', () => {
  expect(['a__b', 'a-b__c__d', 'a_b', '__a', '', 'a__'].map(splitName)).toEqual([
    { namespace: 'a', rest: 'b' },
    { namespace: 'a-b', rest: 'c__d' },
    undefined,
    undefined,
    undefined,
    { namespace: 'a', rest: '' },
  ]);
});
