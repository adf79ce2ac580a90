import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createViewOf } from '../../src/mcp/view.ts';
import { hiddenNotes, narrateHidden } from '../../src/observe/hidden.ts';
import type { Items, World } from '../../src/world.ts';
import { tool, viewOf, worldOf } from '../support/fakeWorld.ts';

const redact = (text: string) => text.replaceAll('s3cret', '***');
const never = () => createViewOf({ prefix: 'never', maxLength: 64 });
const tools = (...names: string[]): Partial<Items> => ({ tools: names.map((name) => tool(name)) });
const notesOf = (world: World, view = never()) => Object.fromEntries(hiddenNotes(view(world), redact));

/** The lines that a sequence of Worlds gives. */
function told(...worlds: readonly World[]) {
  const lines: unknown[] = [];
  const world$ = new Subject<World>();
  narrateHidden(world$, { view: never(), redact }, (level, event, fields) => lines.push([level, event, fields?.backend, fields?.message]));
  for (const world of worlds) world$.next(world);
  return lines;
}

describe('what is hidden of a backend', () => {
  it('is said for each kind, and for each backend that it gives way to', () => {
    const world = worldOf([
      viewOf('a', { items: { ...tools('x', 'y'), resources: [{ uri: 'file:///r', name: 'r' }] } }),
      viewOf('b', { items: { ...tools('z', 'own'), prompts: [{ name: 'p' }], templates: [{ uriTemplate: 'file:///{x}', name: 't' }] } }),
      viewOf('c', {
        items: {
          ...tools('x', 'y', 'z', 'mine'),
          prompts: [{ name: 'p' }],
          resources: [{ uri: 'file:///r', name: 'r' }],
          templates: [{ uriTemplate: 'file:///{x}', name: 't' }],
        },
      }),
    ]);
    expect(notesOf(world)).toEqual({
      c: [
        'tools/list: 2 items are hidden, because "a" has the same: x, y',
        'tools/list: 1 item is hidden, because "b" has the same: z',
        'prompts/list: 1 item is hidden, because "b" has the same: p',
        'resources/list: 1 item is hidden, because "a" has the same: file:///r',
        'resources/templates/list: 1 item is hidden, because "b" has the same: file:///{x}',
      ],
    });
    expect(notesOf(world, createViewOf({ prefix: 'always', maxLength: 64 }))).toEqual({});
  });

  it('is shown in a sentence of bounded length, without secrets', () => {
    const names = ['s3cret-1', 'n'.repeat(100), ...Array.from({ length: 48 }, (_, n) => `o${n + 10}`)];
    const world = worldOf([viewOf('a', { items: tools(...names) }), viewOf('b', { items: tools(...names) })]);
    const first = `***-1, ${'n'.repeat(64)}…, o10, o11, o12 and 45 more`;
    expect(notesOf(world)).toEqual({ b: [`tools/list: 50 items are hidden, because "a" has the same: ${first}`] });
  });
});

describe('the story of what is hidden', () => {
  const a = viewOf('a', { items: tools('x', 'y') });
  const b = viewOf('b', { items: tools('x') });
  const line = (text: string) => ['error', 'backend.hidden', 'b', `b: tools/list: ${text}`];
  const ONE = line('1 item is hidden, because "a" has the same: x');

  it('is an error, told once, also when other things change', () => {
    const other = viewOf('c', { items: tools('z') });
    const down = viewOf('b', { state: 'retrying', items: b.items });
    const worlds = [worldOf([a]), worldOf([a, b]), worldOf([a, b]), worldOf([a, b, other]), worldOf([a, down, other])];
    expect(told(...worlds)).toEqual([ONE]);
    // The lists are other objects, though they say the same.
    expect(told(worldOf([a, b]), worldOf([a, viewOf('b', { items: tools('x', 'own') })]))).toEqual([ONE]);
  });

  it('is told anew when it changes, even where the sentence does not show it, and when it comes back', () => {
    const both = viewOf('b', { items: tools('x', 'y') });
    const two = line('2 items are hidden, because "a" has the same: x, y');
    expect(told(worldOf([a, b]), worldOf([a, both]), worldOf([a, viewOf('b')]), worldOf([a, both]))).toEqual([ONE, two, two]);

    const many = viewOf('a', { items: tools('1', '2', '3', '4', '5', '6', '7') });
    const of = (last: string) => worldOf([many, viewOf('b', { items: tools('1', '2', '3', '4', '5', last) })]);
    expect(told(of('6'), of('7'))).toHaveLength(2);
  });

  it('is none when nothing is hidden', () => {
    expect(told(worldOf([a]), worldOf([a, viewOf('b', { items: tools('own') })]))).toEqual([]);
  });
});
