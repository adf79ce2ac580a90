/** The only client of a gateway on stdin and stdout: everything any server asks or tells is certainly for it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { isAlive, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { BOARD, connectSole, deferToEnd, EVERYTHING, type Peer, quiet, STDIO_ASKER, startAsker } from './kit.ts';

describe.each([['stdio'], ['http']])('a server on %s', (kind) => {
  let a: Peer;
  const defer = deferToEnd();
  beforeAll(async () => {
    const entry = kind === 'stdio' ? STDIO_ASKER : { url: (await startAsker({ defer })).url };
    a = await connectSole({ asker: entry }, { name: 'a', server: 'asker', defer });
    // When the server is there and all its lists are known, there is nothing more to announce.
    await a.whoami();
    for (const kind of ['tools', 'prompts', 'resources']) await a.request(`${kind}/list`);
    await quiet(a);
  });
  /** What arrives from now on. */
  const since = () => {
    const before = a.got.length;
    return () => a.got.slice(before);
  };

  it('knows what the client can do', async () => {
    const { capabilities } = await a.whoami();
    expect(capabilities).toMatchObject({ elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} });
    if (kind === 'stdio') expect(capabilities).toEqual(EVERYTHING);
  });

  it(verifies('F86', 'asks by form and by URL, samples, and asks for roots'), async () => {
    const got = since();
    expect(await a.call('ask_form')).toEqual({ result: { action: 'accept', content: { who: 'a' } } });
    expect(await a.call('ask_url', { id: 'x' })).toEqual({ result: { action: 'accept' } });
    await a.call('complete', { id: 'x' });
    expect(await a.call('sample', { tools: true })).toMatchObject({ result: { content: { text: 'a' } } });
    expect(await a.call('roots')).toEqual({ result: { roots: [{ uri: 'file:///a' }] } });
    await quiet(a);
    // The end of the visit may come on another stream than the questions of the calls.
    expect(got().sort()).toEqual([
      'elicitation/complete https://example.com/x',
      'elicitation/create https://example.com/x',
      'elicitation/create who?',
      'roots/list',
      'sampling/createMessage who?',
    ]);
  });

  it('tells of progress, logs and resources', async () => {
    const got = since();
    await a.request('logging/setLevel', { level: 'warning' });
    await a.call('log', { levels: ['info', 'error'], data: 'x' });
    await a.call('progress', { steps: 2 }, { onprogress: () => {} });
    await a.subscribe('/x');
    await a.call('touch', { uri: `${BOARD}/x/part` });
    await quiet(a);
    await a.unsubscribe('/x');
    await a.call('touch', { uri: `${BOARD}/x` });
    await quiet(a);
    expect(got()).toEqual(['message error x', 'progress 1/2', 'progress 2/2', 'resources/updated /x/part']);
  });

  it('tells of a changed list', async () => {
    await a.request('tools/list');
    const got = since();
    await a.call('grow', { name: 'grown' });
    await until('it is told', () => got().length > 0);
    await quiet(a);
    expect(got()).toEqual(['tools/list_changed']);
    expect(await a.call('grown')).toBe('grown grown');
  });

  it('hears of a cancelled call', async () => {
    const aborter = new AbortController();
    const call = a.call('slow', { note: 'x' }, { signal: aborter.signal }).catch(() => 'given up');
    await until('it is running', async () => (await a.heard('slow')).length === 1);
    aborter.abort('enough');
    expect(await call).toBe('given up');
    await until('it has stopped', async () => (await a.heard('aborted')).length === 1);
    expect(await a.heard('notifications/cancelled')).toMatchObject([{ of: 'slow x', reason: 'enough' }]);
  });

  it.runIf(kind === 'stdio')(verifies('F91', 'hears of changed roots'), async () => {
    await a.client.sendRootsListChanged();
    await until('it has heard', async () => (await a.heard('notifications/roots/list_changed')).length === 1);
  });

  it.runIf(kind === 'stdio')('may ask and tell between two calls', async () => {
    const got = since();
    await a.request('logging/setLevel', { level: 'debug' });
    await a.call('log', { levels: ['debug'], data: 'stray', stray: true });
    await a.call('ask_later', { question: 'later?' });
    await until('it is answered', async () => (await a.heard('answer to late question')).length === 1);
    expect(await a.heard('answer to late question')).toMatchObject([{ result: { action: 'accept', content: { who: 'a' } } }]);
    expect(got()).toEqual(['message debug stray', 'elicitation/create later?']);
  });

  it.runIf(kind === 'stdio')('has all that again when it comes back from a crash', async () => {
    const { pid } = await a.whoami();
    await a.request('logging/setLevel', { level: 'debug' });
    await a.subscribe('/x');
    const got = since();
    await expect(a.call('crash')).rejects.toThrow('asker');
    await a.gets('resources/updated /x');
    const { pid: next, capabilities } = await a.whoami();
    expect([next === pid, isAlive(pid), capabilities]).toEqual([false, false, EVERYTHING]);
    expect(await a.call('ask_form', { question: 'again?' })).toMatchObject({ result: { action: 'accept' } });
    await a.call('log', { levels: ['debug'], data: 'again' });
    await quiet(a);
    // A tool that was added by another test has gone with the process.
    const others = got().filter((words) => words !== 'tools/list_changed');
    expect(others.sort()).toEqual(['elicitation/create again?', 'message debug again', 'resources/updated /x']);
    expect((await a.heard('logging/setLevel')).map(({ level }) => level)).toEqual(['debug']);
  });
});
