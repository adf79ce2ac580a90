import { describe, expect, it } from 'vitest';
import { OnemcpError, WireError } from '../../src/errors.ts';
import { createSession, type ListKind } from '../../src/mcp/session.ts';
import type { Json, JsonRpcMessage } from '../../src/world.ts';
import { deferred, fakeClient, fakeGateway, fakeSession, flush, type Received, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

/** A backend whose calls wait until the test answers them, newest last. */
function slowBackend(name = 'a') {
  const calls: (Received & { resolve: (result: Json) => void; reject: (error: unknown) => void })[] = [];
  const session = fakeSession({
    answer: (received) => {
      const { promise, resolve, reject } = deferred<Json>();
      calls.push({ ...received, resolve, reject });
      received.options.signal?.addEventListener('abort', () => reject(new OnemcpError('cancelled', 'cancelled')));
      return promise;
    },
  });
  return { calls, session, view: viewOf(name, { session, items: { tools: [tool('t')] } }) };
}

const call = { name: 'a__t', arguments: {} };
const argument = (params: Json | undefined, name: string) => (params?.arguments as Json | undefined)?.[name];
const ALL: ReadonlySet<ListKind> = new Set(['tools', 'prompts', 'resources']);

describe('answers', () => {
  it(verifies('E68', 'of requests with the same id go each to its own request'), async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const answers = [1, 2, 3].map((n) => client.ask('tools/call', { ...call, arguments: { n } }, 1));
    for (const { params, resolve } of [...calls].reverse()) resolve({ got: argument(params, 'n') });
    expect((await Promise.all(answers)).map(({ id, result }) => [id, result.got])).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
  });

  it(verifies('E69', 'keep the type of the id'), async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const answers = [1, '1'].map((id) => client.ask('tools/call', { ...call, arguments: { id } }, id));
    for (const { params, resolve } of calls) resolve({ got: argument(params, 'id') });
    expect((await Promise.all(answers)).map(({ id, result }) => [id, result.got])).toEqual([
      [1, 1],
      ['1', '1'],
    ]);
  });

  it(verifies('D66', 'come as they are ready: a fast call overtakes a slow one'), async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const order: string[] = [];
    const slow = client.ask('tools/call', call).then(() => order.push('slow'));
    const fast = client.ask('tools/call', call).then(() => order.push('fast'));
    calls[1]?.resolve({});
    await fast;
    calls[0]?.resolve({});
    await slow;
    expect(order).toEqual(['fast', 'slow']);
  });

  it('to an unknown method are -32601', async () => {
    const client = fakeClient(fakeGateway([]));
    for (const method of ['nothing', 'constructor', '__proto__', 'notifications/x', 'tools/list ']) {
      expect((await client.ask(method)).error).toEqual({ code: -32601, message: `Method not found: ${method}` });
    }
  });

  it('to a bug show nothing of it, and the bug is reported', async () => {
    const gateway = fakeGateway([]);
    const bug = new TypeError('secret detail');
    const methods = new Map(gateway.methods).set('ping', { name: 'ping', handle: () => Promise.reject(bug) });
    const client = fakeClient({ ...gateway, methods });
    expect((await client.ask('ping')).text).not.toContain('secret');
    expect(gateway.bugs).toEqual([bug]);
  });
});

describe('a cancel', () => {
  it('reaches the backend of the call, and the client gets no response', async () => {
    const a = slowBackend();
    const client = fakeClient(fakeGateway([a.view, viewOf('b')]));
    const answer = client.request('tools/call', call, 'x');
    client.cancel('x', 'enough');
    expect(a.calls[0]?.options.signal).toMatchObject({ aborted: true, reason: 'enough' });
    expect(await answer).toBeUndefined();
  });

  it('gives no response either when the backend answers all the same', async () => {
    const gateway = fakeGateway([]);
    const answered = deferred<Json>();
    const methods = new Map(gateway.methods).set('slow', { name: 'slow', handle: () => answered.promise });
    const client = fakeClient({ ...gateway, methods });
    const answer = client.request('slow', undefined, 1);
    client.cancel(1);
    answered.resolve({ late: true });
    expect(await answer).toBeUndefined();
  });

  it('means the newest of several requests with its id', async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const [first, second] = [client.request('tools/call', call, 1), client.request('tools/call', call, 1)];
    client.cancel(1);
    expect(calls.map(({ options }) => options.signal?.aborted)).toEqual([false, true]);
    expect(await second).toBeUndefined();
    client.cancel(1);
    expect(calls.map(({ options }) => options.signal?.aborted)).toEqual([true, true]);
    expect(await first).toBeUndefined();
  });

  it(verifies('E69', 'does not mistake 1 for "1"'), async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    void client.request('tools/call', call, 1);
    client.cancel('1');
    expect(calls[0]?.options.signal?.aborted).toBe(false);
  });

  it(verifies('E77', 'of an unknown, finished or absurd id is ignored'), async () => {
    const client = fakeClient(fakeGateway([]));
    expect((await client.ask('ping', {}, 1)).result).toEqual({});
    for (const id of [1, 99, 'x', null, {}, undefined]) client.cancel(id as never);
    client.session.notification({ jsonrpc: '2.0', method: 'notifications/cancelled' });
    expect((await client.ask('ping', {}, 1)).result).toEqual({});
  });

  it(verifies('E78', 'of one client leaves the same id of another alone'), async () => {
    const { calls, view } = slowBackend();
    const gateway = fakeGateway([view]);
    const [one, other] = [fakeClient(gateway), fakeClient(gateway)];
    const ofOne = one.request('tools/call', call, 1);
    const ofOther = other.request('tools/call', call, 1);
    one.cancel(1);
    expect(await ofOne).toBeUndefined();
    calls[1]?.resolve({ ok: true });
    expect((await ofOther)?.result).toEqual({ ok: true });
  });
});

describe('the end of a session', () => {
  it(verifies('E82', 'cancels all it had in flight, and nothing of others'), async () => {
    const { calls, view } = slowBackend();
    const gateway = fakeGateway([view]);
    const [one, other] = [fakeClient(gateway), fakeClient(gateway)];
    const answers = [1, 2, 2].map((id) => one.request('tools/call', call, id));
    void other.request('tools/call', call, 1);
    one.session.close();
    expect(calls.map(({ options }) => options.signal?.aborted)).toEqual([true, true, true, false]);
    expect(await Promise.all(answers)).toEqual([undefined, undefined, undefined]);
    expect([one.session.inFlight, gateway.context.traffic.inFlight]).toEqual([0, 1]);
  });

  it('leaves a later request unanswered', async () => {
    const client = fakeClient(fakeGateway([]));
    client.session.close();
    expect(await client.request('ping')).toBeUndefined();
  });
});

describe('a session', () => {
  it('has at most session.maxInFlight requests in flight; one more is told when to come again', async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view], { limits: { 'session.maxInFlight': 2 } }));
    const running = [client.ask('tools/call', call), client.ask('tools/call', call)];
    const { error } = await client.ask('tools/call', call);
    expect(error).toMatchObject({ code: -32603, data: { retryable: true, retryAfterMs: 1000 } });
    for (const { resolve } of calls) resolve({});
    await Promise.all(running);
    expect(calls).toHaveLength(2);
    const again = client.ask('tools/call', call);
    calls[2]?.resolve({ again: true });
    expect((await again).result).toEqual({ again: true });
  });

  it('knows when it was used last', async () => {
    let now = 0;
    const client = fakeClient(fakeGateway([], { now: () => now }));
    now = 10;
    const answer = client.ask('ping');
    expect(client.session.lastUsed).toBe(10);
    await answer;
    now = 20;
    client.cancel(1);
    expect([client.session.createdAt, client.session.lastUsed]).toEqual([0, 20]);
  });

  it(verifies('A16', 'passes notifications of its client to no backend'), async () => {
    const session = fakeSession();
    const client = fakeClient(fakeGateway([viewOf('a', { session })]));
    for (const method of ['notifications/initialized', 'notifications/roots/list_changed', 'notifications/progress', 'x']) {
      client.session.notification({ jsonrpc: '2.0', method });
    }
    await flush();
    expect([session.notified, session.received]).toEqual([[], []]);
  });
});

describe('a changed list', () => {
  const withTools = (...names: string[]) => viewOf('a', { items: { tools: names.map((name) => tool(name)) } });
  const before = withTools('t');
  const withPrompt = { ...before, items: { ...before.items, prompts: [{ name: 'p' }] } };

  it(verifies('one-batch', 'is announced, one notification a kind, and not twice'), () => {
    const gateway = fakeGateway([withTools('t')]);
    const client = fakeClient(gateway);
    gateway.set(viewOf('a', { items: { tools: [tool('u')], prompts: [{ name: 'p' }], templates: [{ uriTemplate: 'x://{y}' }] } }));
    client.session.announce(ALL);
    client.session.announce(ALL);
    expect(client.sent.map(({ method }) => method)).toEqual([
      'notifications/tools/list_changed',
      'notifications/prompts/list_changed',
      'notifications/resources/list_changed',
    ]);
  });

  it('is announced for the kinds in question only', () => {
    const gateway = fakeGateway([before]);
    const client = fakeClient(gateway);
    gateway.set(withPrompt);
    client.session.announce(new Set(['tools']));
    expect(client.sent).toEqual([]);
    client.session.announce(new Set(['prompts']));
    expect(client.sent.map(({ method }) => method)).toEqual(['notifications/prompts/list_changed']);
  });

  it(verifies('B34', 'that is the same list again is not announced'), () => {
    const gateway = fakeGateway([withPrompt]);
    const client = fakeClient(gateway);
    gateway.set({ ...withPrompt, state: 'error', session: undefined });
    gateway.set({ ...withPrompt, connects: 2 });
    client.session.announce(ALL);
    expect(client.sent).toEqual([]);
  });

  it('is not announced to a client that listed after the change', async () => {
    const gateway = fakeGateway([withTools('t')]);
    const client = fakeClient(gateway);
    gateway.set(withTools('t', 'u'));
    await client.ask('tools/list');
    client.session.announce(ALL);
    expect(client.sent).toEqual([]);
  });

  it('is announced to a client that listed before the change, or another kind', async () => {
    const gateway = fakeGateway([withTools('t')]);
    const client = fakeClient(gateway);
    await client.ask('tools/list');
    gateway.set(withTools('t', 'u'));
    await client.ask('prompts/list');
    client.session.announce(ALL);
    expect(client.sent.map(({ method }) => method)).toEqual(['notifications/tools/list_changed']);
  });

  it('is announced although it changed between the making of an answer and its sending', async () => {
    const gateway = fakeGateway([withTools('t')]);
    const lists = gateway.methods.get('tools/list');
    const methods = new Map(gateway.methods).set('tools/list', {
      name: 'tools/list',
      async handle(incoming, context) {
        const result = await lists?.handle(incoming, context);
        gateway.set(withTools('t', 'u'));
        return result ?? {};
      },
    });
    const client = fakeClient({ ...gateway, methods });
    expect((await client.ask('tools/list')).text).not.toContain('a__u');
    client.session.announce(ALL);
    expect(client.sent.map(({ method }) => method)).toEqual(['notifications/tools/list_changed']);
  });

  it('is announced to a client that has only its second page', async () => {
    const gateway = fakeGateway([withTools('t', 'u', 'v')], { limits: { 'list.pageSize': 2 } });
    const client = fakeClient(gateway);
    const { nextCursor } = (await client.ask('tools/list')).result;
    gateway.set(withTools('a', 't', 'u', 'v'));
    await client.ask('tools/list', { cursor: nextCursor });
    client.session.announce(ALL);
    expect(client.sent.map(({ method }) => method)).toEqual(['notifications/tools/list_changed']);
  });

  it.each([
    ['resources/list', viewOf('a', { items: { resources: [{ uri: 'x://1' }] } })],
    ['resources/templates/list', viewOf('a', { items: { templates: [{ uriTemplate: 'x://{y}' }] } })],
  ])('of resources or templates is known to a client by %s alone, as far as it goes', async (method, changed) => {
    const gateway = fakeGateway([viewOf('a')]);
    const client = fakeClient(gateway);
    gateway.set(changed);
    await client.ask(method);
    client.session.announce(ALL);
    expect(client.sent).toEqual([]);
  });

  it('is announced to no ended session', () => {
    const gateway = fakeGateway([withTools('t')]);
    const { session, sent } = fakeClient(gateway);
    session.close();
    gateway.set(withTools('u'));
    session.announce(ALL);
    expect(sent).toEqual([]);
  });

  it('is announced to nobody before notifications/initialized', () => {
    const gateway = fakeGateway([withTools('t')]);
    const sent: JsonRpcMessage[] = [];
    const ports = {
      context: gateway.context,
      methods: gateway.methods,
      onBug: gateway.onBug,
      send: (message: JsonRpcMessage) => sent.push(message) > 0,
    };
    const { session } = createSession({ jsonrpc: '2.0', id: 0, method: 'initialize' }, ports);
    gateway.set(withTools('u'));
    session.announce(ALL);
    expect(sent).toEqual([]);
    session.notification({ jsonrpc: '2.0', method: 'notifications/initialized' });
    session.announce(ALL);
    expect(sent).toEqual([{ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }]);
  });
});

describe('progress', () => {
  const withToken = (progressToken: unknown) => ({ ...call, _meta: { progressToken } });
  const values = (client: ReturnType<typeof fakeClient>) => client.progress.map(({ params }) => params?.progress);

  it(verifies('E71', 'only increases, and none comes after the response'), async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const answer = client.ask('tools/call', withToken('p'));
    for (const progress of [1, 3, 2, 3, 5]) calls[0]?.options.onProgress?.({ progressToken: 77, progress, message: 'm', extra: 1 });
    calls[0]?.resolve({});
    await answer;
    calls[0]?.options.onProgress?.({ progress: 9 });
    expect(values(client)).toEqual([1, 3, 5]);
    expect(client.progress[0]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1, message: 'm', extra: 1 },
    });
  });

  it(verifies('E70', 'goes to its own client only, with the token of that client'), async () => {
    const { calls, view } = slowBackend();
    const gateway = fakeGateway([view]);
    const [one, other] = [fakeClient(gateway), fakeClient(gateway)];
    for (const client of [one, other]) void client.request('tools/call', withToken(0));
    calls[0]?.options.onProgress?.({ progressToken: 5, progress: 1 });
    calls[1]?.options.onProgress?.({ progressToken: 6, progress: 2 });
    expect([values(one), values(other)]).toEqual([[1], [2]]);
    expect(one.progress[0]?.params?.progressToken).toBe(0);
  });

  it('is asked of the backend always, and shown to no client without a token', () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    void client.request('tools/call', call);
    void client.request('tools/call', withToken(null));
    for (const { options } of calls) {
      expect(options.onProgress).toBeTypeOf('function');
      options.onProgress?.({ progress: 1 });
    }
    expect(client.progress).toEqual([]);
  });

  it(verifies('E73', 'is never made up'), async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const answer = client.ask('tools/call', withToken('p'));
    calls[0]?.options.onProgress?.({ progress: 'much' });
    calls[0]?.options.onProgress?.({});
    calls[0]?.resolve({});
    await answer;
    expect(client.progress).toEqual([]);
  });

  it('of a cancelled call is not shown', () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    void client.request('tools/call', withToken(1), 4);
    client.cancel(4);
    calls[0]?.options.onProgress?.({ progress: 1 });
    expect(client.progress).toEqual([]);
  });
});

describe('what is sent on to a backend', () => {
  it('keeps what is meant for it, and nothing that belongs to this hop', async () => {
    const { calls, view } = slowBackend();
    const client = fakeClient(fakeGateway([view]));
    const hop = ['protocolVersion', 'clientInfo', 'clientCapabilities', 'logLevel', 'subscriptionId', 'serverInfo'];
    const _meta = {
      'v/x': [1],
      traceparent: '00-…',
      progressToken: 1,
      ...Object.fromEntries(hop.map((key) => [`io.modelcontextprotocol/${key}`, 1])),
    };
    void client.request('tools/call', { ...call, arguments: { a: { b: [null] } }, unknown: true, _meta });
    void client.request('tools/call', { ...call, _meta: { progressToken: 1 } });
    expect(calls.map(({ method, params }) => ({ method, params }))).toEqual([
      {
        method: 'tools/call',
        params: { name: 't', arguments: { a: { b: [null] } }, unknown: true, _meta: { 'v/x': [1], traceparent: '00-…' } },
      },
      { method: 'tools/call', params: { name: 't', arguments: {}, _meta: {} } },
    ]);
  });
});

it(verifies('D60', 'an error of a backend arrives with its code, message and data'), async () => {
  const error = { code: 4711, message: 'mine', data: { x: [1] }, extra: true };
  const session = fakeSession({ answer: () => Promise.reject(new WireError(error)) });
  const client = fakeClient(fakeGateway([viewOf('a', { session, items: { tools: [tool('t')] } })]));
  expect((await client.ask('tools/call', call)).error).toEqual(error);
});
