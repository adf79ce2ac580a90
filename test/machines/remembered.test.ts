import { describe, expect, it } from 'vitest';
import { NO_ITEMS, type Remembered } from '../../src/world.ts';
import { fakeSession, flush, tool } from '../support/fakeWorld.ts';
import { createRoot, exit, instanceOf, opened } from '../support/machines.ts';

const info = { protocolVersion: '2025-06-18', serverInfo: { name: 'old' }, capabilities: { tools: {} }, instructions: 'As before.' };
const remembered: Remembered = { items: { ...NO_ITEMS, tools: [tool('known')] }, info, at: 5_000 };
const rootWith = () => createRoot(['a', 'b'], { memory: { recall: ({ name }) => (name === 'a' ? remembered : undefined) } });

describe('a backend that is remembered', () => {
  it('has its lists and its abilities before anything starts, and nobody waits for them', () => {
    const root = rootWith();
    const { state, items, info: known, remembered: at, settled, connects } = root.view('a');
    expect({ state, at, settled, connects }).toEqual({ state: 'idle', at: 5_000, settled: true, connects: 0 });
    expect([items, known]).toEqual([remembered.items, info]);
    expect(items.tools).toBe(remembered.items.tools);
    const other = root.view('b');
    expect([other.items, other.info, other.remembered, other.settled]).toEqual([NO_ITEMS, undefined, undefined, false]);
  });

  it('is asked for its lists with the remembered ones at hand, and is remembered no longer once it is connected', async () => {
    const root = rootWith();
    root.root.send({ type: 'RUN' });
    expect(root.io.openOf('a').previous).toBe(remembered.items);
    expect([root.state('a'), root.view('a').remembered]).toEqual(['starting', 5_000]);
    const session = fakeSession();
    root.io.openOf('a').resolve({ ...opened({}, session), items: remembered.items });
    await flush();
    expect([root.view('a').remembered, root.view('a').info]).toEqual([undefined, session.info]);
    expect(root.view('a').items).toBe(remembered.items);
    root.io.say('a', { type: 'CLOSED', error: exit('a') });
    await flush();
    expect([root.view('a').remembered, root.view('a').info]).toEqual([undefined, session.info]);
  });

  it('stays remembered while its starts fail', async () => {
    const root = rootWith();
    root.root.send({ type: 'RUN' });
    root.io.openOf('a').reject(exit('a'));
    await flush();
    expect([root.state('a'), root.view('a').remembered, root.view('a').items]).toEqual(['retrying', 5_000, remembered.items]);
  });

  it('is no concern of an instance', async () => {
    const root = rootWith();
    root.root.send({ type: 'RUN' });
    root.need(instanceOf('a', 'client-1'));
    const instance = root.instance('a@client-1');
    expect([instance?.items, instance?.remembered, instance?.info]).toEqual([NO_ITEMS, undefined, undefined]);
  });
});
