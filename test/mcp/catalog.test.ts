import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OnemcpError, WireError } from '../../src/errors.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import { afterFailure, type FetchOptions, fetchItems, shortcomingOf } from '../../src/mcp/catalog.ts';
import { type Items, type Json, type Kind, NO_ITEMS } from '../../src/world.ts';
import { codeOf, type FakeSessionOptions, fakeSession, type Received, tool } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

interface FetchPatch extends Partial<Omit<FetchOptions, 'limits' | 'previous'>> {
  readonly limits?: Partial<Limits>;
  readonly previous?: Partial<Items>;
}

const fetch = (session: ReturnType<typeof fakeSession>, { limits, previous, ...patch }: FetchPatch = {}) =>
  fetchItems(session, {
    name: 'b',
    limits: limitsWith(limits),
    signal: new AbortController().signal,
    previous: { ...NO_ITEMS, ...previous },
    ...patch,
  });

/** A backend that has tools only. */
const toolsOf = (answer: FakeSessionOptions['answer']) => fakeSession({ capabilities: { tools: {} }, ...(answer && { answer }) });
/** Pages by cursor; the first is under the key `first`. */
const pages = (byCursor: Readonly<Record<string, Json>>) =>
  toolsOf(({ params }) => {
    const page = byCursor[params ? `:${params.cursor}` : 'first'];
    if (!page) throw new Error(`no page ${JSON.stringify(params)}`);
    return page;
  });
const deep = (depth: number): Json => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as Json;
const names = (items: readonly Json[]) => items.map(({ name }) => name);
const wire = (code: number) => new WireError({ code, message: 'no' });

describe('the lists of a backend', () => {
  it('are asked for only where it advertises them', async () => {
    const session = fakeSession({ capabilities: { tools: {}, resources: {} }, answer: ({ method }) => ({ [listKey(method)]: [] }) });
    await fetch(session);
    expect(session.received.map(({ method }) => method)).toEqual(['tools/list', 'resources/list', 'resources/templates/list']);
  });

  it('are emptied where it no longer advertises them', async () => {
    const session = toolsOf(() => ({ tools: [tool('a')] }));
    const { items } = await fetch(session, { previous: { prompts: [{ name: 'old' }] } });
    expect(items.prompts).toEqual([]);
  });

  it(verifies('B21', 'have all items of all pages, in code-unit order of their names'), async () => {
    const session = pages({
      first: { tools: [tool('b'), tool('Z')], nextCursor: '2' },
      ':2': { tools: [tool('a'), tool('é')], nextCursor: '3' },
      ':3': { tools: [tool('_')] },
    });
    const { items, notes } = await fetch(session);
    expect([names(items.tools), notes]).toEqual([['Z', '_', 'a', 'b', 'é'], []]);
  });

  it(verifies('B22', 'go on at the cursor "", and hand every cursor back as it came'), async () => {
    const session = pages({
      first: { tools: [tool('a')], nextCursor: '' },
      ':': { tools: [tool('b')], nextCursor: ' x%20' },
      ': x%20': { tools: [] },
    });
    expect(names((await fetch(session)).items.tools)).toEqual(['a', 'b']);
    expect(session.received.map(({ params }) => params)).toEqual([undefined, { cursor: '' }, { cursor: ' x%20' }]);
  });

  it.each([null, undefined, 5, {}])('end at the cursor %j', async (nextCursor) => {
    const session = pages({ first: { tools: [tool('a')], nextCursor } });
    expect(names((await fetch(session)).items.tools)).toEqual(['a']);
  });

  it(verifies('B23', 'end where cursors repeat, with every item once and a note'), async () => {
    const session = pages({
      first: { tools: [tool('a')], nextCursor: 'x' },
      ':x': { tools: [tool('b')], nextCursor: 'y' },
      ':y': { tools: [tool('c')], nextCursor: 'x' },
    });
    const { items, notes } = await fetch(session);
    expect(names(items.tools)).toEqual(['a', 'b', 'c']);
    expect(notes).toEqual(['tools/list was cut: its cursors repeat (cursor-loop)']);
    expect(session.received).toHaveLength(3);
  });

  it.each<[Partial<Limits>, number, string]>([
    [{ 'list.maxPages': 4 }, 8, 'it has more than 4 pages (list.maxPages)'],
    [{ 'list.maxItems': 5 }, 6, 'it has more than 5 items (list.maxItems)'],
    // One page of it is 94 bytes as JSON text.
    [{ 'list.maxBytes': 188 }, 4, 'it has more than 188 bytes (list.maxBytes)'],
    [{ 'list.maxBytes': 189 }, 6, 'it has more than 189 bytes (list.maxBytes)'],
  ])('end at the limit %o with what was read, whatever was there before', async (limits, count, why) => {
    let page = 0;
    const session = toolsOf(() => ({ tools: [tool(`é${++page}`), tool(`u${page}`)], nextCursor: `c${page}` }));
    expect(Buffer.byteLength(JSON.stringify([tool('é1'), tool('u1')]))).toBe(94);
    const { items, notes } = await fetch(session, { limits, previous: { tools: [tool('old')] } });
    expect([items.tools.length, notes]).toEqual([count, [`tools/list was cut: ${why}`]]);
  });

  it('of one page are not measured: what has arrived is kept', async () => {
    const session = pages({ first: { tools: [tool('a'), tool('b')] } });
    const { items, notes } = await fetch(session, { limits: { 'list.maxBytes': 1, 'list.maxItems': 1, 'list.maxPages': 1 } });
    expect([names(items.tools), notes]).toEqual([['a', 'b'], []]);
  });

  it('say that they were cut although many of their items are bad', async () => {
    const session = toolsOf(() => ({ tools: [...Array.from({ length: 50 }, () => 5), tool('good')], nextCursor: 'again' }));
    const { notes } = await fetch(session);
    expect(notes[0]).toBe('tools/list was cut: its cursors repeat (cursor-loop)');
    expect(shortcomingOf('tools', notes)).toBe('cursor-loop');
  });

  it(verifies('B26', 'are given listTimeout, silent or not'), async () => {
    const session = toolsOf(() => ({ tools: [] }));
    await fetch(session, { limits: { listTimeout: 1234 } });
    expect(session.received[0]?.options).toMatchObject({ timeoutMs: 1234, totalTimeoutMs: 1234 });
  });

  it('keep their identity when they are equal, kind by kind', async () => {
    const previous = { tools: [tool('a', { x: [1] })], prompts: [{ name: 'p' }] };
    const session = fakeSession({
      capabilities: { tools: {}, prompts: {} },
      answer: ({ method }) => (method === 'tools/list' ? { tools: [tool('a', { x: [1] })] } : { prompts: [{ name: 'q' }] }),
    });
    const { items } = await fetch(session, { previous });
    expect(items.tools).toBe(previous.tools);
    expect(items.prompts).toEqual([{ name: 'q' }]);
  });

  it('may be read for some kinds only; the others stay', async () => {
    const previous = { tools: [tool('a')], prompts: [{ name: 'p' }] };
    const session = fakeSession({ answer: () => ({ tools: [tool('b')] }) });
    const { items } = await fetch(session, { previous, kinds: ['tools'] });
    expect([names(items.tools), items.prompts === previous.prompts, session.received.length]).toEqual([['b'], true, 1]);
  });
});

describe('a list whose pages take too long', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  /** Each page takes 400 ms; the third is never sent when there is a second of time. */
  const slow = () => {
    let page = 0;
    return toolsOf(() => {
      vi.advanceTimersByTime(400);
      return { tools: [tool(`t${++page}`)], nextCursor: `c${page}` };
    });
  };
  const limits = { 'list.totalTimeout': 1_000, listTimeout: 700 };
  const note = 'tools/list failed on page 4: all its pages took longer than 1000 ms (list.totalTimeout)';

  it('keeps what was read when there is nothing older', async () => {
    const session = slow();
    const { items, notes } = await fetch(session, { limits });
    expect([names(items.tools), notes]).toEqual([['t1', 't2', 't3'], [note]]);
    expect(session.received.map(({ options }) => options.totalTimeoutMs)).toEqual([700, 600, 200]);
  });

  it('keeps the older list: the backend may be faster next time', async () => {
    const previous = { tools: [tool('old1'), tool('old2')] };
    const { items, notes } = await fetch(slow(), { limits, previous });
    expect([items.tools === previous.tools, notes]).toEqual([true, [note]]);
  });

  it('names the limit although the page in flight failed for it', async () => {
    const session = toolsOf(({ params }) => {
      if (!params) return { tools: [tool('a')], nextCursor: '2' };
      vi.advanceTimersByTime(1_000);
      throw new OnemcpError('timeout', 'silent');
    });
    expect((await fetch(session, { limits })).notes).toEqual([note.replace('page 4', 'page 2')]);
  });

  it('fails like any other when nothing was read', async () => {
    const session = toolsOf(() => {
      vi.advanceTimersByTime(400);
      return { tools: [], nextCursor: `${performance.now()}` };
    });
    const error = (await fetch(session, { limits }).catch((thrown: unknown) => thrown)) as Error;
    expect([codeOf(error), error.message]).toEqual(['timeout', 'all its pages took longer than 1000 ms (list.totalTimeout)']);
  });
});

describe('what is missing of a list', () => {
  const cut = 'resources/list was cut: it has more than 5 items (list.maxItems)';
  const loop = 'tools/list was cut: its cursors repeat (cursor-loop)';

  it('is read from its own notes', () => {
    const notes = [
      'prompts/list: an item was left out: it is not an object',
      cut,
      loop,
      'resources/templates/list is advertised but not implemented',
    ];
    const found = (['tools', 'prompts', 'resources', 'templates'] as const).map((kind) => shortcomingOf(kind, notes));
    expect(found).toEqual(['cursor-loop', undefined, 'list-cut', undefined]);
  });

  it('is all of it, or all that is new, after a failure', async () => {
    const known = { items: NO_ITEMS, notes: [cut, loop] };
    const { notes } = afterFailure(known, ['tools'], new Error('gone'));
    expect([shortcomingOf('tools', notes), shortcomingOf('resources', notes)]).toEqual(['list-failed', 'list-cut']);
    const torn = await fetch(toolsOf(({ params }) => (params ? Promise.reject(wire(-32603)) : { tools: [tool('a')], nextCursor: '2' })));
    expect(shortcomingOf('tools', torn.notes)).toBe('list-failed');
  });
});

describe('a list that fails', () => {
  /** Prompts are fine; tools do what they are told. */
  const beside = (tools: (received: Received) => Json | Promise<Json>) =>
    fakeSession({
      capabilities: { tools: {}, prompts: {} },
      answer: (received) => (received.method === 'prompts/list' ? { prompts: [{ name: 'p' }] } : tools(received)),
    });

  it.each([
    ['an error', () => Promise.reject(wire(-32603)), 'tools/list failed: no'],
    ['garbage', () => ({ tools: 'x' }), 'tools/list failed: tools/list of "b" has no array "tools"'],
    ['silence', () => Promise.reject(new OnemcpError('timeout', 'silent')), 'tools/list failed: silent'],
  ])(verifies('B26', 'with %s costs the other kinds nothing, and is noted'), async (_, answer, note) => {
    const { items, notes } = await fetch(beside(answer as () => Json));
    expect([items.tools, names(items.prompts), notes]).toEqual([[], ['p'], [note]]);
  });

  it('keeps its old items', async () => {
    const previous = { tools: [tool('old')] };
    const { items } = await fetch(
      beside(() => Promise.reject(wire(-32603))),
      { previous },
    );
    expect(items.tools).toBe(previous.tools);
  });

  it(verifies('B28', 'because the method is unknown is an empty list: the other kinds stay'), async () => {
    const { items, notes } = await fetch(
      beside(() => Promise.reject(wire(-32601))),
      { previous: { tools: [tool('old')] } },
    );
    expect([items.tools, names(items.prompts)]).toEqual([[], ['p']]);
    expect(notes).toEqual(['tools/list is advertised but not implemented']);
  });

  it(verifies('B28', 'because the method is unknown does not fail the backend although it is all it has'), async () => {
    expect((await fetch(toolsOf(() => Promise.reject(wire(-32601))))).items).toEqual(NO_ITEMS);
  });

  it.each([
    ['an error', () => Promise.reject(wire(-32603))],
    ['an unknown method', () => Promise.reject(wire(-32601))],
    ['garbage', () => ({ tools: 7 })],
  ])('on its second page with %s keeps the old list, or what was read when there is none', async (_, second) => {
    const session = () => beside(({ params }) => (params ? (second() as Json) : { tools: [tool('new')], nextCursor: '2' }));
    const previous = { tools: [tool('old1'), tool('old2')] };
    const stale = await fetch(session(), { previous });
    expect(stale.items.tools).toBe(previous.tools);
    expect(stale.notes).toEqual([expect.stringMatching(/^tools\/list failed on page 2: /)]);
    expect(names((await fetch(session())).items.tools)).toEqual(['new']);
  });

  it('fails the start when nothing at all can be listed, and says whose', async () => {
    const session = fakeSession({ capabilities: { tools: {}, prompts: {} }, answer: () => Promise.reject(wire(-32603)) });
    const error = await fetch(session).catch((thrown: unknown) => thrown);
    expect([codeOf(error), (error as Error).message]).toEqual(['invalid_response', '"b" cannot list what it offers: no']);
  });

  it('does not fail the start for templates alone', async () => {
    const session = fakeSession({
      capabilities: { resources: {} },
      answer: ({ method }) => (method === 'resources/list' ? { resources: [{ uri: 'x://1' }] } : Promise.reject(wire(-32603))),
    });
    const { items, notes } = await fetch(session);
    expect([items.resources.length, items.templates, notes.length]).toEqual([1, [], 1]);
  });

  it('because the reading is given up throws, whatever was read', async () => {
    const aborter = new AbortController();
    const session = toolsOf(() => {
      aborter.abort(new OnemcpError('cancelled', 'stopped'));
      return { tools: [tool('a')] };
    });
    expect(codeOf(await fetch(session, { signal: aborter.signal }).catch((thrown: unknown) => thrown))).toBe('cancelled');
  });
});

describe('an item', () => {
  it.each([
    ['tools', null, 'it is not an object'],
    ['tools', [], 'it is not an object'],
    ['tools', { inputSchema: {} }, 'its "name" is not a text'],
    ['tools', { name: '', inputSchema: {} }, 'its "name" is not a text'],
    ['tools', { name: 5, inputSchema: {} }, 'its "name" is not a text'],
    ['tools', { name: 't', inputSchema: null }, '"t" has no object "inputSchema"'],
    ['tools', { name: 't', inputSchema: [] }, '"t" has no object "inputSchema"'],
    ['tools', { name: 't' }, '"t" has no object "inputSchema"'],
    ['tools', tool('t00'), '"t00" is listed twice; the first one is kept'],
    ['tools', tool('n'.repeat(8193)), `"${'n'.repeat(80)}" begins a "name" of 8193 characters, more than 128 (item.maxName)`],
    ['tools', tool('n\u202e'), '"n\\u{202e}" has invisible characters in its "name"'],
    ['tools', tool('t', { inputSchema: deep(256) }), '"t": it is nested deeper than 256 levels (item.maxDepth)'],
    ['prompts', {}, 'its "name" is not a text'],
    ['resources', { name: 'x' }, 'its "uri" is not a text'],
    ['templates', { uri: 'x' }, 'its "uriTemplate" is not a text'],
  ] as const)(verifies('B27', 'of %s that is bad (%j) is left out and named: %s'), async (kind, bad, flaw) => {
    const good = Array.from({ length: 19 }, (_, n) => goodItem(kind, `t${String(n).padStart(2, '0')}`));
    const capability = kind === 'templates' ? 'resources' : kind;
    const session = fakeSession({
      capabilities: { [capability]: {} },
      answer: ({ method }) => ({ [listKey(method)]: listKey(method) === KEYS[kind] ? [...good, bad] : [] }),
    });
    const { items, notes } = await fetch(session);
    expect(items[kind]).toEqual(good);
    expect(notes).toEqual([`${METHODS[kind]}: an item was left out: ${flaw}`]);
  });

  it(verifies('secrets-nowhere', 'is named in notes without a secret, also where its name is cut'), async () => {
    const hide = (text: string) => text.replaceAll('hunter2-hunter2', '***');
    const name = `${'n'.repeat(70)}hunter2-hunter2`;
    const session = toolsOf(() => ({ tools: [{ name }, tool(name, { description: 'Adds\u200b.' })] }));
    const { notes } = await fetch(session, { hide, redact: hide });
    expect(notes).toEqual([
      `tools/list: an item was left out: "${'n'.repeat(70)}***" has no object "inputSchema"`,
      `tools/list: "${'n'.repeat(70)}***": invisible characters were taken out of its texts`,
    ]);
  });

  it(
    verifies('item-hygiene', 'with hidden characters in its texts is there without them, with a note; the others are untouched'),
    async () => {
      const good = tool('good');
      const session = toolsOf(() => ({ tools: [good, tool('odd', { description: 'Adds\u200b.' })] }));
      const { items, notes } = await fetch(session);
      expect([items.tools[0], items.tools[1]?.description]).toEqual([good, 'Adds.']);
      expect(items.tools[0]).toBe(good);
      expect(notes).toEqual(['tools/list: "odd": invisible characters were taken out of its texts']);
      const again = await fetch(session, { previous: items });
      expect(again.items.tools).toBe(items.tools);
    },
  );

  it('of thousands that are bad a few are named, and the rest is counted', async () => {
    const { items, notes } = await fetch(toolsOf(() => ({ tools: [...Array.from({ length: 5_000 }, () => 5), tool('good')] })));
    expect(items.tools).toEqual([tool('good')]);
    expect(notes).toHaveLength(21);
    expect(notes.at(-1)).toBe('tools/list: there is more to say of 4980 others');
  });

  it(verifies('B27', 'of any form never costs another'), async () => {
    const property = fc.asyncProperty(fc.array(fc.anything(), { maxLength: 10 }), async (junk) => {
      const { items } = await fetch(toolsOf(() => ({ tools: [...junk, tool('the good one')] })));
      expect(names(items.tools)).toContain('the good one');
    });
    await fc.assert(property);
  });

  it(verifies('B29', 'is kept as it is, with every field we do not know'), async () => {
    const odd = tool('t', {
      title: 'T',
      annotations: { x: 1 },
      icons: [{ src: 'data:' }],
      outputSchema: true,
      execution: { taskSupport: 'optional' },
      _meta: { 'v/x': [null] },
      'x-unknown': { deep: [1, { $ref: '#/$defs/a' }] },
      inputSchema: { $defs: { a: false }, properties: { p: true } },
    });
    const { items } = await fetch(toolsOf(() => ({ tools: [odd] })));
    expect(items.tools[0]).toBe(odd);
  });
});

const METHODS: Readonly<Record<Kind, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  templates: 'resources/templates/list',
};
const KEYS: Readonly<Record<Kind, string>> = { tools: 'tools', prompts: 'prompts', resources: 'resources', templates: 'resourceTemplates' };
const listKey = (method: string): string => KEYS[(Object.keys(METHODS) as Kind[]).find((kind) => METHODS[kind] === method) as Kind];
const goodItem = (kind: Kind, id: string): Json =>
  kind === 'tools' ? tool(id) : { [kind === 'prompts' ? 'name' : kind === 'resources' ? 'uri' : 'uriTemplate']: id };
