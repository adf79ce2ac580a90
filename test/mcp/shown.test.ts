import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unlistedOwner } from '../../src/mcp/owner.ts';
import { createShown, isShown } from '../../src/mcp/shown.ts';
import { createViewOf } from '../../src/mcp/view.ts';
import type { World } from '../../src/world.ts';
import { tool, viewOf, worldOf } from '../support/fakeWorld.ts';

const ITEMS = { tools: [tool('a'), tool('b'), tool('c')], prompts: [{ name: 'a' }] };
const backend = viewOf('s', { items: ITEMS });
const names = (world: World, viewer = createViewOf({ prefix: 'always', maxLength: 64 })) =>
  viewer(world).tools.items.map(({ name }) => name);

describe('tools that are hidden', () => {
  it.each([
    [{}, ['s__a', 's__b', 's__c']],
    [{ disabledTools: ['b', 'nobody'] }, ['s__a', 's__c']],
    [{ enabledTools: ['c', 'a'] }, ['s__a', 's__c']],
    [{ enabledTools: ['a', 'b'], disabledTools: ['b'] }, ['s__a']],
    [{ enabledTools: [] }, []],
    [{ disabledTools: ['A', 's__a'] }, ['s__a', 's__b', 's__c']],
  ])('%j leaves %j', (filter, left) => {
    const world = worldOf([{ ...backend, ...filter }]);
    expect(names(world)).toEqual(left);
    const view = createViewOf({ prefix: 'always', maxLength: 64 })(world);
    expect([...view.tools.routes.keys()]).toEqual(left);
    expect(view.prompts.items).toHaveLength(1);
  });

  it('give way to the same tool of another server where names have no prefix', () => {
    const viewer = createViewOf({ prefix: 'never', maxLength: 64 });
    const view = viewer(worldOf([{ ...backend, disabledTools: ['a'] }, viewOf('t', { items: { tools: [tool('a')] } })]));
    expect(view.tools.routes.get('a')).toEqual({ backend: 't', name: 'a' });
    expect(view.tools.hidden).toEqual([]);
  });

  it('are a change of the list only where something else is to be seen', () => {
    const viewer = createViewOf({ prefix: 'always', maxLength: 64 });
    const listOf = (filter: object) => viewer(worldOf([{ ...backend, ...filter }])).tools;
    const all = listOf({});
    expect(listOf({ disabledTools: ['nobody'] })).toBe(all);
    const some = listOf({ disabledTools: ['b'] });
    expect(some).not.toBe(all);
    expect(listOf({ enabledTools: ['a', 'c'] })).toBe(some);
  });

  it('cannot be called by a name that is in no list, either', () => {
    const own = { ...backend, isolation: 'session' as const, disabledTools: ['b', 'secret'] };
    const ask = (name: string, prefix: 'always' | 'never') => unlistedOwner(name, worldOf([own]), { prefix, maxLength: 64 });
    expect(ask('s__other', 'always')).toEqual({ backend: 's', name: 'other' });
    expect(ask('s__secret', 'always')).toBeUndefined();
    expect(ask('other', 'never')).toEqual({ backend: 's', name: 'other' });
    expect(ask('secret', 'never')).toBeUndefined();
  });

  it('are those of the filter, whatever it says, and the same question has the same answer', () => {
    const list = fc.option(fc.subarray(['a', 'b', 'c', 'd']), { nil: undefined });
    const shown = createShown();
    fc.assert(
      fc.property(list, list, (enabledTools, disabledTools) => {
        const view = { ...backend, enabledTools, disabledTools };
        const left = shown(view);
        expect(left).toEqual(ITEMS.tools.filter(({ name }) => isShown(view, name as string)));
        expect(shown({ ...view, disabledTools: [...(disabledTools ?? []), 'nobody'] })).toBe(left);
      }),
    );
  });
});
