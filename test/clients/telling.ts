/** Notifications: progress, log messages, cancellations, changed lists. One suite for all ways to be connected. */
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { type Connect, deferToEnd, open, type Peer, pairOf, quiet, type Way } from './kit.ts';

export const tellingSuite = (ways: readonly Way[]) =>
  describe.each(ways)('$title', (way) => {
    let connect: Connect;
    const direct = way.backend === 'directly';
    const defer = deferToEnd();
    beforeAll(async () => {
      ({ connect } = await open(way, { defer }));
    });

    it(verifies('E70', 'progress goes to the call it is of, also when both clients use the same token'), async () => {
      const [a, b] = await pairOf(connect);
      // Its callbacks tell nothing: the SDK forgets them when the answer arrives together with the last progress.
      const onprogress = () => {};
      await Promise.all([a.call('progress', { steps: 4 }, { onprogress }), b.call('progress', { steps: 2 }, { onprogress })]);
      // The SDK makes the token of the id.
      const token = a.sent.at(-1);
      expect(b.sent.at(-1)).toBe(token);
      await quiet(a, b);
      expect(a.got).toEqual(['progress 1/4', 'progress 2/4', 'progress 3/4', 'progress 4/4']);
      expect(b.got).toEqual(['progress 1/2', 'progress 2/2']);
      expect(a.raw.map(({ params }) => params?.progressToken)).toEqual(Array(4).fill(token));
    });

    it.skipIf(direct)('there is no progress without a token, and none after the answer', async () => {
      const [a, b] = await pairOf(connect);
      await a.call('progress', { steps: 2 });
      await b.call('progress', { steps: 2, late: true }, { onprogress: () => {} });
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([[], ['progress 1/2', 'progress 2/2']]);
    });

    it(verifies('E78', 'a cancelled call is cancelled where it runs, and nowhere else'), async () => {
      const [a, b] = await pairOf(connect);
      const note = (name: string) => `${name} in ${way.title}`;
      const aborter = new AbortController();
      const callOfA = a.call('slow', { note: note('a') }, { signal: aborter.signal }).catch((error: Error) => error.message);
      const callOfB = b.call('slow', { note: note('b') });
      expect(a.sent.at(-1)).toBe(b.sent.at(-1));
      for (const peer of [a, b])
        await until(`${peer.name} is in its call`, async () => (await peer.heard('slow', { note: note(peer.name) })).length === 1);
      aborter.abort('no longer needed');
      expect(await callOfA).toContain('no longer needed');
      await until('the server has stopped', async () => (await a.heard('aborted', { note: note('a') })).length === 1);
      expect(await a.heard('notifications/cancelled', { of: `slow ${note('a')}` })).toMatchObject([{ reason: 'no longer needed' }]);
      expect(await b.heard('notifications/cancelled', { of: `slow ${note('b')}` })).toEqual([]);
      await b.call('release', { note: note('b') });
      expect(await callOfB).toBe(`released ${note('b')}`);
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([[], []]);
    });

    it.runIf(way.backend === 'http' || way.backend === 'session' || direct)(
      'log messages go to the client whose call they are of',
      async () => {
        const [a, b] = await pairOf(connect);
        await Promise.all([a, b].map((peer) => peer.request('logging/setLevel', { level: 'debug' })));
        await Promise.all([
          a.call('log', { levels: ['debug', 'info'], data: 'of a' }),
          b.call('log', { levels: ['emergency'], data: { deep: ['of b'] }, logger: 'own' }),
        ]);
        await quiet(a, b);
        expect(a.got).toEqual(['message debug of a', 'message info of a']);
        expect(b.raw.map(({ params }) => params)).toMatchObject([{ level: 'emergency', data: { deep: ['of b'] } }]);
        const loggers = [...a.raw, ...b.raw].map(({ params }) => params?.logger);
        expect(loggers).toEqual(direct ? [undefined, undefined, 'own'] : ['asker', 'asker', 'asker/own']);
      },
    );

    it.runIf(way.backend === 'http' || way.backend === 'session')(
      verifies('F93', 'each client hears from its own level on; the server is set to the most verbose one'),
      async () => {
        const [a, b] = await pairOf(connect);
        await b.request('logging/setLevel', { level: 'debug' });
        await a.request('logging/setLevel', { level: 'error' });
        await Promise.all([a, b].map((peer) => peer.call('log', { levels: ['debug', 'warning', 'error', 'alert'], data: peer.name })));
        await quiet(a, b);
        expect(a.got).toEqual(['message error a', 'message alert a']);
        expect(b.got).toEqual(['message debug b', 'message warning b', 'message error b', 'message alert b']);
        const levelFor = async (peer: Peer) => {
          const { connection } = await peer.whoami();
          return (await peer.heard('logging/setLevel', { connection })).at(-1)?.level;
        };
        expect([await levelFor(a), await levelFor(b)]).toEqual([way.backend === 'session' ? 'error' : 'debug', 'debug']);
        await a.request('logging/setLevel', { level: 'debug' });
        await b.request('logging/setLevel', { level: 'error' });
        expect([await levelFor(a), await levelFor(b)]).toEqual(['debug', way.backend === 'session' ? 'error' : 'debug']);
      },
    );

    it.runIf(way.backend === 'http')('log messages of no call reach no client', async () => {
      const [a, b] = await pairOf(connect);
      await Promise.all([a, b].map((peer) => peer.request('logging/setLevel', { level: 'debug' })));
      await a.call('log', { levels: ['debug', 'emergency'], stray: true });
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([[], []]);
    });

    it('a level that is none is refused', async () => {
      const a = await connect('a');
      // The fixture takes everything.
      if (!direct) await expect(a.request('logging/setLevel', { level: 'loud' })).rejects.toMatchObject({ code: -32602 });
      expect(await a.request('logging/setLevel', { level: 'notice' })).toEqual({});
    });

    it.skipIf(way.backend === 'session').each(['tools', 'prompts', 'resources'] as const)(
      'a change of the %s is told once to everybody who is there',
      async (kind) => {
        const [a, b] = await pairOf(connect);
        const listed = async (peer: Peer) => JSON.stringify((await peer.request(`${kind}/list`))[kind]);
        const name = `grown_${way.title.replaceAll(/\W/g, '_')}`;
        for (const peer of [a, b]) expect(await listed(peer)).not.toContain(name);
        await a.call('grow', { kind, name });
        for (const peer of [a, b]) await peer.gets(`${kind}/list_changed`);
        for (const peer of [a, b]) expect(await listed(peer)).toContain(name);
        const late = await connect('late');
        expect(await listed(late)).toContain(name);
        await quiet(a, b, late);
        expect([a.got, b.got, late.got]).toEqual([[`${kind}/list_changed`], [`${kind}/list_changed`], []]);
      },
    );

    it.runIf(way.backend === 'session')('a list that changed in the process of one client concerns no other client', async () => {
      const [a, b] = await pairOf(connect);
      await Promise.all([a, b].map((peer) => peer.request('tools/list')));
      await a.call('grow', { name: 'grown' });
      await quiet(a, b);
      expect(b.got).toEqual([]);
      expect(JSON.stringify(await b.request('tools/list'))).not.toContain('grown');
    });

    it.skipIf(direct)(verifies('F91', 'changed roots are told to the connections that the client owns, and to no other'), async () => {
      const [a, b] = await pairOf(connect);
      await Promise.all([a.whoami(), b.whoami()]);
      await a.client.sendRootsListChanged();
      if (way.backend === 'session')
        await until('the process of a heard it', async () => (await a.heard('notifications/roots/list_changed')).length > 0);
      await quiet(a, b);
      const heard = await Promise.all([a, b].map(async (peer) => (await peer.heard('notifications/roots/list_changed')).length));
      expect(heard).toEqual(way.backend === 'session' ? [1, 0] : [0, 0]);
      expect([a.got, b.got]).toEqual([[], []]);
    });
  });
