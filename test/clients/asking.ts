/**
 * Requests of servers: the client whose call caused one answers it, and no other client hears of it. One suite for all ways to be
 * connected; a file for those whose clients share a process, and one for the others.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { type Connect, deferToEnd, open, type Peer, pairOf, quiet, type Way } from './kit.ts';

/** The answer that says who gave it. */
const elicited = (who: string) => ({ result: { action: 'accept', content: { who } } });
const sampled = (who: string) => ({ result: { role: 'assistant', model: 'none', content: { type: 'text', text: who } } });

/** A question that waits for a test to answer it. */
function held(peer: Peer, method: 'elicitation/create' | 'sampling/createMessage') {
  let answer!: (result: Json) => void;
  peer.answers[method] = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  return (result: Json) => answer(result);
}

export const askingSuite = (ways: readonly Way[]) =>
  describe.each(ways)('$title', (way) => {
    let connect: Connect;
    const direct = way.backend === 'directly';
    const defer = deferToEnd();
    beforeAll(async () => {
      ({ connect } = await open(way, { defer }));
    });
    const three = () => Promise.all(['a', 'b', 'c'].map((name) => connect(name))) as Promise<[Peer, Peer, Peer]>;

    it('a form is filled in by its own client', async () => {
      const [a, b, c] = await three();
      const answers = await Promise.all([a.call('ask_form', { question: 'for a?' }), b.call('ask_form', { question: 'for b?' })]);
      expect(answers).toEqual([elicited('a'), elicited('b')]);
      await quiet(a, b, c);
      expect(a.got).toEqual(['elicitation/create for a?']);
      expect(b.got).toEqual(['elicitation/create for b?']);
      expect(c.got).toEqual([]);
    });

    it.skipIf(direct)(verifies('F89', 'the question names its server'), async () => {
      const a = await connect('a');
      await a.call('ask_form', { question: 'for a?' });
      expect(a.raw.map(({ params }) => params?.message)).toEqual([expect.stringMatching(/asker.*for a\?$/)]);
    });

    it('a question does not wait for another client to answer its own', async () => {
      const [a, b] = await pairOf(connect);
      const answerOfA = held(a, 'elicitation/create');
      const slow = a.call('ask_form', { question: 'slow?' });
      await a.gets('elicitation/create slow?');
      expect(await b.call('ask_form', { question: 'fast?' })).toEqual(elicited('b'));
      answerOfA({ action: 'decline' });
      expect(await slow).toEqual({ result: { action: 'decline' } });
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([['elicitation/create slow?'], ['elicitation/create fast?']]);
    });

    it(verifies('F90', 'a visit to a URL, and its end, concern one client'), async () => {
      const [a, b] = await pairOf(connect);
      const id = `visit-${way.title}`;
      const url = `https://example.com/visit?x=${encodeURIComponent('ä /')}`;
      expect(await a.call('ask_url', { id, url })).toEqual({ result: { action: 'accept' } });
      // The business is finished while somebody else calls, if somebody else can reach that process.
      const other = way.backend === 'session' || way.carrier === 'stdio' ? a : b;
      await other.call('complete', { id });
      await a.gets(`elicitation/complete ${url}`);
      await quiet(a, b);
      expect(a.got).toEqual([`elicitation/create ${url}`, `elicitation/complete ${url}`]);
      expect(b.got).toEqual([]);
    });

    it.skipIf(direct)('the end of a visit that nobody was sent to is dropped', async () => {
      const [a, b] = await pairOf(connect);
      await a.call('ask_url', { id: 'somebody' });
      await a.call('complete', { id: 'nobody' });
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([['elicitation/create https://example.com/somebody'], []]);
    });

    it('sampling is done by its own client, with tools too', async () => {
      const [a, b] = await pairOf(connect);
      const answers = await Promise.all([a.call('sample', { prompt: 'plain' }), b.call('sample', { prompt: 'tools', tools: true })]);
      expect(answers).toEqual([sampled('a'), sampled('b')]);
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([['sampling/createMessage plain'], ['sampling/createMessage tools']]);
      expect(b.raw[0]?.params).toMatchObject({
        tools: [{ name: 'weather', inputSchema: { type: 'object' } }],
        toolChoice: { mode: 'auto' },
      });
    });

    it(verifies('F88', 'the context of other servers is not asked for'), async () => {
      const a = await connect('a');
      await a.call('sample', { includeContext: 'allServers' });
      expect(a.raw[0]?.params?.includeContext).toBe(direct ? 'allServers' : 'none');
    });

    it('roots are those of the client that calls', async () => {
      const [a, b] = await pairOf(connect);
      const answers = await Promise.all([a.call('roots'), b.call('roots')]);
      expect(answers).toEqual([{ result: { roots: [{ uri: 'file:///a' }] } }, { result: { roots: [{ uri: 'file:///b' }] } }]);
      await quiet(a, b);
      expect([a.got, b.got]).toEqual([['roots/list'], ['roots/list']]);
    });

    it('the error of a client reaches the server as it is', async () => {
      const a = await connect('a');
      a.answers['sampling/createMessage'] = () => {
        throw Object.assign(new Error('User rejected sampling request'), { code: -1 });
      };
      expect(await a.call('sample')).toEqual({ error: { code: -1, message: expect.stringContaining('User rejected sampling request') } });
    });

    it(verifies('E81', 'a question that is taken back is taken back at its client only'), async () => {
      const [a, b] = await pairOf(connect);
      held(a, 'elicitation/create');
      const note = `back-${way.title}`;
      const call = a.call('ask_form', { question: 'never mind?', note });
      await a.gets('elicitation/create never mind?');
      expect(await a.call('take_back', { note })).toBe(true);
      expect(await call).toMatchObject({ error: { message: expect.stringContaining('changed my mind') } });
      await a.gets('cancelled elicitation/create never mind?');
      await quiet(a, b);
      expect(a.got).toEqual(['elicitation/create never mind?', 'cancelled elicitation/create never mind?']);
      expect(b.got).toEqual([]);
    });

    it('a client that comes while a question is open hears nothing of it, and is asked its own', async () => {
      const a = await connect('a');
      const answerOfA = held(a, 'elicitation/create');
      const call = a.call('ask_form', { question: 'early?' });
      await a.gets('elicitation/create early?');
      const late = await connect('late');
      expect(await late.call('ask_form', { question: 'late?' })).toEqual(elicited('late'));
      answerOfA({ action: 'cancel' });
      expect(await call).toEqual({ result: { action: 'cancel' } });
      await quiet(a, late);
      expect([a.got, late.got]).toEqual([['elicitation/create early?'], ['elicitation/create late?']]);
    });

    it('a client that leaves is not replaced by another', async () => {
      const [a, b] = await pairOf(connect);
      held(a, 'elicitation/create');
      const call = a.call('ask_form', { question: 'still there?' }).catch(() => 'left');
      await a.gets('elicitation/create still there?');
      await a.leave();
      expect(await call).toBe('left');
      expect(await b.call('ask_form', { question: 'and you?' })).toEqual(elicited('b'));
      await quiet(b);
      expect([a.got, b.got]).toEqual([['elicitation/create still there?'], ['elicitation/create and you?']]);
    });
  });
