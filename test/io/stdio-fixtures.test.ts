import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { closeAll, connect, createDeps, eventually, onClose, open, specOf, textOf } from './stdioKit.ts';

afterEach(closeAll);

const tools = async (backend: Awaited<ReturnType<typeof connect>>, cursor?: string) => {
  const { result } = await backend.request('tools/list', cursor === undefined ? {} : { cursor });
  return result as { tools: (Json & { name: string })[]; nextCursor?: string };
};

describe('the fixture backends do what their name says', () => {
  it.each(['good', 'noisy-stderr', 'never-responds', 'list-changed-storm', 'daemon-grandchild', 'progress'])('%s: usable', async (name) => {
    const backend = await connect(name);
    expect((await tools(backend)).tools.slice(0, 3).map((tool) => tool.name)).toEqual(['echo', 'slow', 'boom']);
    expect(textOf(await backend.call('echo', { a: 1 }))).toBe('{"a":1}');
  });

  it('init-error', async () => {
    const backend = open(specOf('init-error'), createDeps());
    expect((await backend.initialize()).error?.message).toBe('the database is not reachable');
  });

  it('wrong-version', async () => {
    expect((await open(specOf('wrong-version'), createDeps()).initialize()).result?.protocolVersion).toBe('1999-01-01');
  });

  it('slow-start', async () => {
    const start = performance.now();
    await connect('slow-start', { env: { DELAY_MS: '300' } });
    expect(performance.now() - start).toBeGreaterThan(290);
  });

  it('exit-on-init', async () => {
    await expect(open(specOf('exit-on-init'), createDeps()).initialize()).rejects.toMatchObject({
      message: '"exit-on-init" exited with code 0 before it was initialized',
    });
  });

  it('flaky-start', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'onemcp-flaky-'));
    onClose(() => rmSync(dir, { recursive: true }));
    const env = { COUNTER_FILE: join(dir, 'starts') };
    const start = () => open(specOf('flaky-start', { env }), createDeps()).initialize();
    await expect(start()).rejects.toMatchObject({ message: expect.stringMatching(/start 1 fails$/) });
    await expect(start()).rejects.toMatchObject({ message: expect.stringMatching(/start 2 fails$/) });
    await start();
  });

  it('slow-list, list-error', async () => {
    expect((await tools(await connect('slow-list', { env: { DELAY_MS: '10' } }))).tools).toHaveLength(3);
    expect((await (await connect('list-error')).request('tools/list')).error?.message).toBe('no list today');
  });

  it('paginated: also an empty cursor is a cursor', async () => {
    const backend = await connect('paginated', { env: { TOOLS: '7', PAGE: '2' } });
    const names: string[] = [];
    const cursors: (string | undefined)[] = [];
    let cursor: string | undefined;
    do {
      const page = await tools(backend, cursor);
      names.push(...page.tools.map((tool) => tool.name));
      cursor = page.nextCursor;
      cursors.push(cursor);
    } while (cursor !== undefined);
    expect(names).toEqual(Array.from({ length: 7 }, (_, i) => `tool-${i + 1}`));
    expect(cursors).toEqual(['', 'page-2', 'page-3', undefined]);
  });

  it('cursor-loop, many-tools, bad-items', async () => {
    expect((await tools(await connect('cursor-loop'), 'again')).nextCursor).toBe('again');
    expect((await tools(await connect('many-tools', { env: { TOOLS: '50' } }))).tools).toHaveLength(53);
    expect((await tools(await connect('bad-items'))).tools).toHaveLength(10);
  });

  it('list-changes', async () => {
    const backend = await connect('list-changes');
    await backend.call('add', { name: 'new' });
    expect((await tools(backend)).tools.at(-1)?.name).toBe('new');
    await backend.call('remove', { name: 'new' });
    expect((await tools(backend)).tools.at(-1)?.name).toBe('remove');
    expect(backend.messages.filter(({ method }) => method === 'notifications/tools/list_changed')).toHaveLength(2);
  });

  it('list-changed-storm', async () => {
    const backend = await connect('list-changed-storm');
    await eventually(() => backend.messages.length > 200, 'the storm');
  });

  it('progress', async () => {
    const backend = await connect('progress');
    const of = (token: string) =>
      backend.messages.filter(({ params }) => params?.progressToken === token).map(({ params }) => params?.progress);
    await backend.request('tools/call', { name: 'count', arguments: { n: 3, delayMs: 1 }, _meta: { progressToken: 'p' } });
    expect(of('p')).toEqual([1, 2, 3]);
    await backend.call('count', { n: 2, delayMs: 1 });
    backend.request('tools/call', { name: 'count', arguments: { n: 1000, delayMs: 5 }, _meta: { progressToken: 'q' } });
    await eventually(() => of('q').length > 0, 'progress');
    backend.notify('notifications/cancelled', { requestId: 4 });
    expect(textOf(await backend.call('cancelled'))).toBe('[4]');
  });

  it('exotic', async () => {
    const backend = await connect('exotic');
    const { result } = await backend.call('odd', { a: 1 });
    expect(result).toMatchObject({ received: { a: 1 }, structuredContent: [1, { two: 2 }, null], 'x-odd': { deep: [1, null, 'ü'] } });
    const resources = (await backend.request('resources/list')).result?.resources as { uri: string }[];
    for (const { uri } of resources) {
      expect((await backend.request('resources/read', { uri })).result).toMatchObject({ contents: [{ uri }] });
    }
  });
});
