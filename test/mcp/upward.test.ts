/** What reaches a client from a backend, and what its capabilities keep from it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WireError } from '../../src/errors.ts';
import type { Json, JsonRpcMessage, Upward } from '../../src/world.ts';
import { type FakeGatewayOptions, fakeClient, fakeGateway, fakeSession, flush, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

/** A client in a call of `a__ask`, and the way up that the backend has meanwhile. */
function inCall(
  capabilities: Json,
  { options, protocolVersion = '2025-11-25' }: { options?: FakeGatewayOptions; protocolVersion?: string } = {},
) {
  let upward!: Upward;
  let end!: (result: Json) => void;
  const session = fakeSession({
    answer: ({ options: { upward: given } }) => {
      upward = given as Upward;
      return new Promise((resolve) => {
        end = resolve;
      });
    },
  });
  const gateway = fakeGateway([viewOf('a', { session, items: { tools: [tool('ask')] } })], options);
  const client = fakeClient(gateway, { protocolVersion, capabilities });
  const call = client.request('tools/call', { name: options?.prefix === 'never' ? 'ask' : 'a__ask' }, 'call');
  const asking = new AbortController();
  const progress: Json[] = [];
  return {
    gateway,
    client,
    call,
    asking,
    progress,
    upward: () => upward,
    end: (result: Json) => end(result),
    ask: (method: string, params: Json) =>
      upward.request(method, params, { signal: asking.signal, onProgress: (each) => progress.push(each) }).then(
        (result) => ({ result }),
        (error: WireError) => ({ error: error.error }),
      ),
  };
}

const lastOf = (messages: readonly JsonRpcMessage[]) => messages.at(-1) as JsonRpcMessage;

describe('an elicitation', () => {
  it(verifies('F89', 'reaches the client on the stream of its call, names the server, and the answer goes back as it is'), async () => {
    const { client, ask } = inCall({ elicitation: {} });
    const answer = ask('elicitation/create', { message: 'Your name?', requestedSchema: { type: 'object' }, 'x-more': 1 });
    expect(client.sent).toEqual([]);
    const { id, params } = lastOf(client.progress);
    expect(params).toEqual({ message: '[a] Your name?', requestedSchema: { type: 'object' }, 'x-more': 1 });
    client.session.response({ jsonrpc: '2.0', id: id as number, result: { action: 'accept', content: { name: 'Ada' }, 'x-more': 2 } });
    expect(await answer).toEqual({ result: { action: 'accept', content: { name: 'Ada' }, 'x-more': 2 } });
  });

  it('is not touched at all with transparent naming', async () => {
    const { client, ask } = inCall({ elicitation: {} }, { options: { prefix: 'never' } });
    void ask('elicitation/create', { message: 'Your name?' });
    expect(lastOf(client.progress).params).toEqual({ message: 'Your name?' });
  });

  it.each([
    ['no elicitation', {}, 'form', -32601],
    ['forms only, by the empty object', { elicitation: {} }, 'url', -32602],
    ['forms only', { elicitation: { form: {} } }, 'url', -32602],
    ['URLs only', { elicitation: { url: {} } }, 'form', -32602],
    ['anything', { elicitation: { form: {}, url: {} } }, 'telepathy', -32602],
  ])('of a client with %s is refused in another mode', async (_, capabilities, mode, code) => {
    const { client, ask } = inCall(capabilities);
    expect(await ask('elicitation/create', { mode, message: 'x' })).toMatchObject({ error: { code } });
    expect(client.progress).toEqual([]);
  });

  it(verifies('E81', 'that is taken back is cancelled at the client by the id it knows'), async () => {
    const { client, ask, asking } = inCall({ elicitation: {} });
    const answer = ask('elicitation/create', { message: 'x' });
    const { id } = lastOf(client.progress);
    asking.abort('changed my mind');
    expect(lastOf(client.progress)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: id, reason: 'changed my mind' },
    });
    expect(await answer).toMatchObject({ error: { code: -32603 } });
  });

  it('ends with the session of its client', async () => {
    const { client, ask } = inCall({ elicitation: {} });
    const answer = ask('elicitation/create', { message: 'x' });
    client.session.close();
    expect(await answer).toMatchObject({ error: { code: -32603, message: expect.stringContaining('gone') } });
  });

  it(verifies('F90', 'by URL is remembered, so that its completion reaches its client only'), async () => {
    const { gateway, client, ask } = inCall({ elicitation: { url: {} } });
    const other = fakeClient(gateway, { protocolVersion: '2025-11-25', capabilities: { elicitation: { url: {} } } });
    void ask('elicitation/create', { mode: 'url', url: 'https://example.com/', elicitationId: 'e-1', message: 'x' });
    expect(lastOf(client.progress).params).toMatchObject({ url: 'https://example.com/', elicitationId: 'e-1' });
    gateway.context.elicitations.complete('a', { elicitationId: 'unknown' });
    gateway.context.elicitations.complete('b', { elicitationId: 'e-1' });
    expect(client.sent).toEqual([]);
    gateway.context.elicitations.complete('a', { elicitationId: 'e-1' });
    expect(client.sent).toEqual([{ jsonrpc: '2.0', method: 'notifications/elicitation/complete', params: { elicitationId: 'e-1' } }]);
    expect(other.sent).toEqual([]);
  });
});

describe('an elicitation that nobody answers', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());
  const options = { limits: { humanTimeout: 1000 } };

  it('counts as cancelled, and the client is told that it is over', async () => {
    const { client, ask } = inCall({ elicitation: {} }, { options });
    const answer = ask('elicitation/create', { message: 'x' });
    const { id } = lastOf(client.progress);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answer).toEqual({ result: { action: 'cancel' } });
    expect(lastOf(client.progress)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: id } });
  });

  it('gets its time anew with each progress of the client, which the backend hears with its own token', async () => {
    const { client, ask, progress } = inCall({ sampling: {} }, { options });
    const answer = ask('sampling/createMessage', { messages: [], _meta: { progressToken: 'theirs', vendor: 1 } });
    const { id, params } = lastOf(client.progress);
    expect(params?._meta).toEqual({ progressToken: id, vendor: 1 });
    for (let step = 1; step <= 3; step++) {
      await vi.advanceTimersByTimeAsync(800);
      client.session.notification({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: id, progress: step } });
    }
    expect(progress.map((each) => each.progress)).toEqual([1, 2, 3]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answer).toMatchObject({ error: { code: -32603 } });
  });
});

describe('a sampling request', () => {
  it(verifies('F87', 'with tools is refused for a client without sampling.tools'), async () => {
    const { client, ask } = inCall({ sampling: {} });
    expect(await ask('sampling/createMessage', { messages: [], tools: [] })).toMatchObject({ error: { code: -32602 } });
    expect(await ask('sampling/createMessage', { messages: [], toolChoice: {} })).toMatchObject({ error: { code: -32602 } });
    expect(client.progress).toEqual([]);
  });

  it('with tools reaches a client that has them', () => {
    const { client, ask } = inCall({ sampling: { tools: {} } });
    void ask('sampling/createMessage', { messages: [], tools: [{ name: 't' }] });
    expect(lastOf(client.progress).params).toEqual({ messages: [], tools: [{ name: 't' }] });
  });

  it(verifies('F88', 'gets the context of no server, unless the configuration allows it'), () => {
    const refused = inCall({ sampling: { context: {} } });
    void refused.ask('sampling/createMessage', { messages: [], includeContext: 'allServers' });
    expect(lastOf(refused.client.progress).params).toEqual({ messages: [], includeContext: 'none' });
    const allowed = inCall({ sampling: { context: {} } }, { options: { samplingContext: 'a' } });
    void allowed.ask('sampling/createMessage', { messages: [], includeContext: 'allServers' });
    expect(lastOf(allowed.client.progress).params).toEqual({ messages: [], includeContext: 'allServers' });
  });

  it('shows the URIs that its client can read', () => {
    const { client, ask } = inCall({ sampling: {} });
    const link = { type: 'resource_link', uri: 'test://x', name: 'x' };
    const messages = [
      { role: 'user', content: { ...link } },
      { role: 'user', content: [{ type: 'tool_result', toolUseId: '1', content: [{ ...link }] }] },
    ];
    void ask('sampling/createMessage', { messages });
    const shown = lastOf(client.progress).params?.messages as Json[];
    expect(shown[0]?.content).toMatchObject({ uri: 'test://a/x' });
    expect(shown[1]?.content).toMatchObject([{ content: [{ uri: 'test://a/x' }] }]);
  });

  it("is answered with the user's rejection as it is", async () => {
    const { client, ask } = inCall({ sampling: {} });
    const answer = ask('sampling/createMessage', { messages: [] });
    const { id } = lastOf(client.progress);
    client.session.response({ jsonrpc: '2.0', id: id as number, error: { code: -1, message: 'User rejected', data: 1 } });
    expect(await answer).toEqual({ error: { code: -1, message: 'User rejected', data: 1 } });
  });
});

describe('another request of a backend', () => {
  it('for roots reaches a client that has them only', async () => {
    const { client, ask } = inCall({ roots: {} });
    const answer = ask('roots/list', {});
    const { id } = lastOf(client.progress);
    client.session.response({ jsonrpc: '2.0', id: id as number, result: { roots: [{ uri: 'file:///home' }] } });
    expect(await answer).toEqual({ result: { roots: [{ uri: 'file:///home' }] } });
    expect(await inCall({}).ask('roots/list', {})).toMatchObject({ error: { code: -32601 } });
  });

  it('that we do not know is not passed on', async () => {
    const { client, ask } = inCall({ elicitation: {}, sampling: {}, roots: {} });
    expect(await ask('tasks/list', {})).toMatchObject({ error: { code: -32601 } });
    expect(client.progress).toEqual([]);
  });

  it('after the end of its call reaches nobody on the stream of that call', async () => {
    const { client, call, end, ask } = inCall({ elicitation: {} });
    end({ content: [] });
    await call;
    expect(await ask('elicitation/create', { message: 'late' })).toMatchObject({ error: { code: -32603 } });
    expect(client.progress).toEqual([]);
    expect(client.sent).toEqual([]);
  });

  it('an answer to which nobody waits for is ignored', async () => {
    const { gateway, client } = inCall({ elicitation: {} });
    client.session.response({ jsonrpc: '2.0', id: 4711, result: {} });
    await flush();
    expect(gateway.bugs).toEqual([]);
  });
});

describe('a log message', () => {
  it('names its server in logger and _meta', () => {
    const { client, upward } = inCall({});
    upward().notify('notifications/message', { level: 'info', data: 'x' });
    upward().notify('notifications/message', { level: 'info', logger: 'db', data: 'y', _meta: { vendor: 1 } });
    expect(client.progress.map(({ params }) => params)).toEqual([
      { level: 'info', logger: 'a', data: 'x', _meta: { 'dev.onemcp/server': 'a' } },
      { level: 'info', logger: 'a/db', data: 'y', _meta: { vendor: 1, 'dev.onemcp/server': 'a' } },
    ]);
  });

  it('is not touched at all with transparent naming', () => {
    const { client, upward } = inCall({}, { options: { prefix: 'never' } });
    upward().notify('notifications/message', { level: 'info', data: 'x' });
    expect(lastOf(client.progress).params).toEqual({ level: 'info', data: 'x' });
  });

  it('below the level of its client is dropped, one of an unknown level is not', async () => {
    const { client, upward } = inCall({});
    await client.ask('logging/setLevel', { level: 'error' });
    for (const level of ['debug', 'info', 'warning', 'error', 'emergency', 'shouting']) upward().notify('notifications/message', { level });
    expect(client.progress.map(({ params }) => params?.level)).toEqual(['error', 'emergency', 'shouting']);
  });
});

describe('the error of a tool that needs its user at a URL', () => {
  const required = new WireError({
    code: -32042,
    message: 'Authorize first',
    data: { elicitations: [{ mode: 'url', elicitationId: 'e-9' }] },
  });
  const world = () => {
    const session = fakeSession({ answer: () => Promise.reject(required) });
    return fakeGateway([viewOf('a', { session, items: { tools: [tool('ask')] } })]);
  };

  it('reaches a client that can show URLs, and its completion too', async () => {
    const gateway = world();
    const client = fakeClient(gateway, { protocolVersion: '2025-11-25', capabilities: { elicitation: { url: {} } } });
    expect((await client.ask('tools/call', { name: 'a__ask' })).error).toEqual(required.error);
    gateway.context.elicitations.complete('a', { elicitationId: 'e-9' });
    expect(client.sent).toHaveLength(1);
  });

  it.each([
    ['2025-11-25', {}],
    ['2025-11-25', { elicitation: {} }],
    ['2025-06-18', { elicitation: { url: {} } }],
  ])('is a result with the reason for a client of %s with %j', async (protocolVersion, capabilities) => {
    const client = fakeClient(world(), { protocolVersion, capabilities });
    const { result, error } = await client.ask('tools/call', { name: 'a__ask' });
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ isError: true, _meta: { 'dev.onemcp/error': { reason: 'url-elicitation-required' } } });
  });
});
