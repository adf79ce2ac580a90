/** Requests of servers that nobody may answer: they are refused, and no client sees them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { type Connect, deferToEnd, open, pairOf, quiet, WAYS } from './kit.ts';

const refused = (code: number) => ({ error: { code, message: expect.any(String) } });

describe.each([WAYS.stdio, WAYS.stdioSse])('$title', (way) => {
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { defer }));
  });

  it(verifies('F84', 'every request is refused, and no client sees one'), async () => {
    const [a, b] = await pairOf(connect);
    expect(await a.call('ask_form')).toEqual(refused(-32601));
    expect(await a.call('ask_url', { id: 'nowhere' })).toEqual(refused(-32601));
    expect(await a.call('sample')).toEqual(refused(-32601));
    expect(await a.call('roots')).toEqual(refused(-32601));
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([[], []]);
  });

  it('the server was told that clients can do nothing', async () => {
    const [a, b] = await pairOf(connect);
    const [one, other] = await Promise.all([a.whoami(), b.whoami()]);
    expect(one.capabilities).toEqual({});
    expect(other.pid).toBe(one.pid);
  });

  it('a question between two calls is refused, although only one client is calling', async () => {
    const [a, b] = await pairOf(connect);
    const slow = b.call('slow', { note: 'b waits' });
    await a.call('ask_later');
    await a.call('ask_later', { on: 'call' });
    await a.call('release', { note: 'b waits' });
    await slow;
    await quiet(a, b);
    expect(await a.heard('answer to late question')).toMatchObject([{ error: { code: -32601 } }]);
    expect(await a.heard('answer to last words')).toMatchObject([{ error: { code: -32601 } }]);
    expect([a.got, b.got]).toEqual([[], []]);
  });

  it("log messages, which are nobody's, reach nobody", async () => {
    const [a, b] = await pairOf(connect);
    await Promise.all([a, b].map((peer) => peer.request('logging/setLevel', { level: 'debug' })));
    await a.call('log', { levels: ['debug', 'emergency'] });
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([[], []]);
  });
});

describe.each([WAYS.http, WAYS.httpSse])('$title', (way) => {
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { defer }));
  });

  it(verifies('F92', "a question on no call's stream is refused, also while the only client is in a call"), async () => {
    const [a, b] = await pairOf(connect);
    const slow = a.call('slow', { note: 'a waits' });
    await a.call('ask_later');
    const answered = async () => (await a.heard('answer to late question'))[0];
    await a.call('release', { note: 'a waits' });
    await slow;
    await quiet(a, b);
    expect(await answered()).toMatchObject({ error: { code: -32601 } });
    expect([a.got, b.got]).toEqual([[], []]);
  });

  it('a question on the stream of a call, but behind its answer, reaches nobody', async () => {
    const [a, b] = await pairOf(connect);
    const slow = b.call('slow', { note: 'b waits' });
    await a.call('ask_later', { on: 'call' });
    await a.call('release', { note: 'b waits' });
    await slow;
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([[], []]);
    // Whether the gateway still reads what comes after the answer is its own affair; an answer would have to be a refusal.
    for (const answer of await a.heard('answer to last words')) expect(answer).toMatchObject({ error: {} });
  });
});

describe('a stdio backend for each session', () => {
  it('a question between two calls of one client concerns no other', async () => {
    const { connect } = await open(WAYS.session);
    const [a, b] = await pairOf(connect);
    await a.call('ask_later', { question: 'later?' });
    await quiet(a, b);
    // It is certainly a's, so a may be asked.
    expect(a.got.filter((words) => words !== 'elicitation/create later?')).toEqual([]);
    expect(b.got).toEqual([]);
    expect(await a.heard('answer to late question')).toHaveLength(1);
  });
});

describe.each([WAYS.directHttp, WAYS.http, WAYS.httpSse, WAYS.session])('$title: a client that cannot do it', (way) => {
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { defer }));
  });

  const gateway = way.backend !== 'directly';

  it('is not asked, while another is', async () => {
    const [poor, rich] = await Promise.all([connect('poor', {}), connect('rich')]);
    const both = (tool: string) => Promise.all([poor.call(tool, { id: `${tool}-of-poor` }), rich.call(tool, { id: tool })]);
    for (const [tool, answer] of [
      ['ask_form', { action: 'accept', content: { who: 'rich' } }],
      ['ask_url', { action: 'accept' }],
      ['sample', { content: { type: 'text', text: 'rich' } }],
      ['roots', { roots: [{ uri: 'file:///rich' }] }],
    ] as const) {
      const [ofPoor, ofRich] = await both(tool);
      expect(ofPoor, tool).toEqual(refused(-32601));
      expect(ofRich, tool).toMatchObject({ result: answer });
    }
    await quiet(poor, rich);
    // Without a gateway in between it is asked, and refuses itself.
    if (gateway) expect(poor.got).toEqual([]);
    expect(rich.got).toEqual([
      'elicitation/create who?',
      'elicitation/create https://example.com/ask_url',
      'sampling/createMessage who?',
      'roots/list',
    ]);
  });

  it('was never said to be able to', async () => {
    const [poor, forms] = await Promise.all([connect('poor', {}), connect('forms', { elicitation: { form: {} }, sampling: {} })]);
    expect((await poor.whoami()).capabilities).toEqual({});
    const { elicitation, ...others } = (await forms.whoami()).capabilities;
    expect(others).toEqual({ sampling: {} });
    // `{}` and `{ form: {} }` mean the same.
    expect([{}, { form: {} }]).toContainEqual(elicitation);
  });

  it(verifies('F87', 'has parts of a capability only: the other modes, and tools, are refused as invalid'), async () => {
    const [forms, urls] = await Promise.all([
      connect('forms', { elicitation: { form: {} }, sampling: {} }),
      connect('urls', { elicitation: { url: {} }, sampling: { tools: {} } }),
    ]);
    expect(await forms.call('ask_form')).toMatchObject({ result: { action: 'accept' } });
    expect(await forms.call('ask_url', { id: `f-${way.title}` })).toEqual(refused(-32602));
    expect(await forms.call('sample')).toMatchObject({ result: {} });
    expect(await urls.call('ask_url', { id: 'u' })).toMatchObject({ result: { action: 'accept' } });
    expect(await urls.call('ask_form')).toEqual(refused(-32602));
    expect(await urls.call('sample', { tools: true })).toMatchObject({ result: {} });
    // The client of the SDK does not look at `sampling.tools` itself.
    if (!gateway) return;
    expect(await forms.call('sample', { tools: true })).toEqual(refused(-32602));
    await quiet(forms, urls);
    expect(forms.got).toEqual(['elicitation/create who?', 'sampling/createMessage who?']);
    expect(urls.got).toEqual(['elicitation/create https://example.com/u', 'sampling/createMessage who?']);
  });

  it.runIf(gateway)('is not asked for what MCP does not know', async () => {
    const a = await connect('a');
    expect(await a.call('ask_odd')).toEqual(refused(-32601));
    await quiet(a);
    expect(a.got).toEqual([]);
  });
});
