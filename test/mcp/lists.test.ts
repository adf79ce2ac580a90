import { describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import type { Json } from '../../src/world.ts';
import { fakeClient, fakeGateway, fakeSession, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const TOOLS = { tools: [tool('t')] };
const partialOf = ({ result }: { result: Json }) => (result._meta as Json | undefined)?.['dev.onemcp/partial'];

describe('a list that is not all there', () => {
  it(verifies(['B23', 'B26', 'B30'], 'says of which servers, and why, and of which kind only'), async () => {
    const gateway = fakeGateway([
      viewOf('good', { items: TOOLS, notes: ['tools/list: an item was left out: it is not an object'] }),
      viewOf('loop', { namespace: 'l', items: TOOLS, notes: ['tools/list was cut: its cursors repeat (cursor-loop)'] }),
      viewOf('big', { items: TOOLS, notes: ['tools/list was cut: it has more than 1 items (list.maxItems)'] }),
      viewOf('torn', { state: 'retrying', connects: 1, settled: true, items: TOOLS, notes: ['tools/list failed on page 2: no'] }),
      viewOf('never', { state: 'error', settled: true, lastError: new OnemcpError('timeout', 'late') }),
    ]);
    const client = fakeClient(gateway);
    const never = { server: 'never', state: 'error', reason: 'timeout' };
    expect(partialOf(await client.ask('tools/list'))).toEqual([
      { server: 'l', state: 'connected', reason: 'cursor-loop' },
      { server: 'big', state: 'connected', reason: 'list-cut' },
      { server: 'torn', state: 'retrying', reason: 'list-failed' },
      never,
    ]);
    expect(partialOf(await client.ask('prompts/list'))).toEqual([never]);
  });

  it('says so no longer once it is, although its items are the same', async () => {
    const gateway = fakeGateway([viewOf('a', { items: TOOLS, notes: ['tools/list failed: no'] })]);
    const client = fakeClient(gateway);
    expect(partialOf(await client.ask('tools/list'))).toEqual([{ server: 'a', state: 'connected', reason: 'list-failed' }]);
    gateway.set(viewOf('a', { items: TOOLS }));
    expect(partialOf(await client.ask('tools/list'))).toBeUndefined();
    gateway.set(viewOf('a', { items: TOOLS, notes: ['tools/list failed: no'] }));
    expect(partialOf(await client.ask('tools/list'))).toHaveLength(1);
  });
});

describe('a backend that is remembered', () => {
  const known = {
    items: TOOLS,
    info: fakeSession({ capabilities: { tools: {} }, instructions: 'As before.' }).info,
    remembered: 5,
    settled: true,
  };

  it(verifies(['remembered', 'A12'], 'is listed at once and whole, and counts as known, whether it starts or fails'), async () => {
    for (const patch of [{ state: 'starting' }, { state: 'retrying', lastError: new OnemcpError('timeout', 'late') }] as const) {
      const client = fakeClient(fakeGateway([viewOf('a', { ...known, ...patch })]));
      const { result } = await client.ask('tools/list');
      expect([(result.tools as Json[]).map(({ name }) => name), partialOf({ result })]).toEqual([['a__t'], undefined]);
      expect(client.opening.capabilities).toEqual({ tools: { listChanged: true } });
      expect(client.opening.instructions).toBe('# a (tools: a__…)\nAs before.');
    }
  });
});

it.each([
  ['1 MiB', {}, 10],
  ['list.pageBytes', { 'list.pageBytes': 250_000 }, 2],
  ['less than an item', { 'list.pageBytes': 1 }, 1],
])('a list of more than %s is given in pages, whatever its number of items', async (_, limits, most) => {
  const tools = Array.from({ length: 25 }, (_, n) => tool(`t${n + 10}`, { description: 'é'.repeat(50_000) }));
  const client = fakeClient(fakeGateway([viewOf('a', { items: { tools } })], { limits }));
  const pages: unknown[][] = [];
  let cursor: unknown;
  do {
    const { result } = await client.ask('tools/list', cursor === undefined ? {} : { cursor });
    pages.push((result.tools as Json[]).map(({ name }) => name));
    cursor = result.nextCursor;
  } while (cursor !== undefined);
  expect(pages.flat()).toEqual(tools.map(({ name }) => `a__${name}`));
  expect([Math.max(...pages.map((page) => page.length)), pages.length]).toEqual([most, Math.ceil(tools.length / most)]);
});
