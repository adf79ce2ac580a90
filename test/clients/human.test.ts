/** People take their time: the clocks of a call stand still while its client is asked, and the client has a clock of its own. */
import { setTimeout as pass } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { type Connect, deferToEnd, open, quiet, WAYS } from './kit.ts';

const elicited = (who: string) => ({ result: { action: 'accept', content: { who } } });

// At the same time, because most of each test is waiting.
describe.concurrent.each([WAYS.http, WAYS.httpSse, WAYS.session])('$title', (way) => {
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { gateway: { requestTimeout: '500ms', humanTimeout: '3s' }, defer, clients: defer }));
  });

  it(verifies('E80', 'an answer may take longer than a call'), async () => {
    const a = await connect('a');
    for (const [method, answer] of Object.entries(a.answers)) {
      a.answers[method as keyof typeof a.answers] = async (params, context) => {
        await pass(1100);
        return answer(params, context);
      };
    }
    const answers = await Promise.all(['ask_form', 'sample', 'roots'].map((tool) => a.call(tool)));
    expect(answers).toMatchObject([elicited('a'), { result: { content: { text: 'a' } } }, { result: { roots: [{ uri: 'file:///a' }] } }]);
    expect([...a.got].sort()).toEqual(['elicitation/create who?', 'roots/list', 'sampling/createMessage who?']);
  });

  it('after the answer the clock of the call runs again', async () => {
    const a = await connect('a');
    a.answers['elicitation/create'] = async () => {
      await pass(1000);
      return { action: 'decline' };
    };
    await expect(a.call('ask_form', { hang: true, note: `hang ${way.title}` })).rejects.toThrow('500 ms');
    await quiet(a);
    expect(await a.heard('notifications/cancelled', { of: `ask_form hang ${way.title}` })).toHaveLength(1);
    expect(a.got).toEqual(['elicitation/create who?']);
  });

  it('a form that nobody fills in counts as cancelled, and the client is told; others are asked meanwhile', async () => {
    const [a, b] = await Promise.all([connect('a'), connect('b')]);
    a.answers['elicitation/create'] = () => new Promise(() => {});
    const began = performance.now();
    const call = a.call('ask_form', { question: 'anybody?' });
    await a.gets('elicitation/create anybody?');
    expect(await b.call('ask_form', { question: 'you?' })).toEqual(elicited('b'));
    expect(await call).toEqual({ result: { action: 'cancel' } });
    expect(performance.now() - began).toBeGreaterThan(2900);
    await quiet(a, b);
    expect(a.got).toEqual(['elicitation/create anybody?', 'cancelled elicitation/create anybody?']);
    expect(b.got).toEqual(['elicitation/create you?']);
  });

  it('sampling that nobody does is an error, and the client is told', async () => {
    const a = await connect('a');
    a.answers['sampling/createMessage'] = () => new Promise(() => {});
    expect(await a.call('sample', { prompt: 'anybody?' })).toMatchObject({ error: { code: -32603 } });
    await quiet(a);
    expect(a.got).toEqual(['sampling/createMessage anybody?', 'cancelled sampling/createMessage anybody?']);
  });

  it('a client that cancels its call is told that the question of that call is over', async () => {
    const a = await connect('a');
    a.answers['elicitation/create'] = () => new Promise(() => {});
    const aborter = new AbortController();
    const call = a.call('ask_form', { question: 'still?' }, { signal: aborter.signal }).catch((error: Error) => error.message);
    await a.gets('elicitation/create still?');
    aborter.abort('no longer needed');
    expect(await call).toContain('no longer needed');
    await a.gets('cancelled elicitation/create still?');
    await quiet(a);
    expect(a.got).toEqual(['elicitation/create still?', 'cancelled elicitation/create still?']);
  });

  it('an answer that comes too late reaches nobody, and harms nobody', async () => {
    const a = await connect('a');
    let answer!: (value: { action: string }) => void;
    a.answers['elicitation/create'] = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    expect(await a.call('ask_form', { question: 'first?' })).toEqual({ result: { action: 'cancel' } });
    answer({ action: 'accept' });
    a.answers['elicitation/create'] = () => ({ action: 'decline' });
    expect(await a.call('ask_form', { question: 'second?' })).toEqual({ result: { action: 'decline' } });
  });

  it('progress of the client gives it more time, and reaches the server that asked', async () => {
    const [a, b] = await Promise.all([connect('a'), connect('b')]);
    a.answers['sampling/createMessage'] = async (_, { tell }) => {
      for (let n = 1; n <= 5; n++) {
        await pass(800);
        await tell(n);
      }
      return { role: 'assistant', model: 'none', content: { type: 'text', text: 'slowly' } };
    };
    expect(await a.call('sample', { progress: true })).toMatchObject({ result: { content: { text: 'slowly' } } });
    expect((await a.heard('notifications/progress')).map(({ progress }) => progress)).toEqual([1, 2, 3, 4, 5]);
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([['sampling/createMessage who?'], []]);
  });
});
