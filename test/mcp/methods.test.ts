import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ErrorCode, OnemcpError, WireError } from '../../src/errors.ts';
import { ERROR_META } from '../../src/mcp/failure.ts';
import { waitFor } from '../../src/mcp/method.ts';
import type { CancelSignal, Json } from '../../src/world.ts';
import {
  type FakeBackend,
  fakeClient,
  fakeGateway,
  fakeSession,
  flush,
  type Received,
  tool,
  viewOf,
  worldOf,
} from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const TOOLS = { tools: [tool('t')] };
/** A client of one backend `a` with the tool `t`. */
function withBackend(answer: (received: Received) => Json | Promise<Json>, more: FakeBackend = {}) {
  const session = fakeSession({ answer });
  const gateway = fakeGateway([viewOf('a', { session, items: TOOLS, ...more })]);
  return { session, gateway, client: fakeClient(gateway) };
}
const textOf = ({ result }: { result: Json }) => (result.content as { text: string }[])[0]?.text;
const namesOf = ({ result }: { result: Json }) => (result.tools as { name: string }[]).map(({ name }) => name);
const metaOf = ({ result }: { result: Json }) => (result._meta as Json | undefined)?.[ERROR_META];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});
/** Lets time pass; what is due happens. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('initialize', () => {
  const never = viewOf('never', { state: 'starting' });
  const opening = (params: Json, ...views: Parameters<typeof fakeGateway>[0]) => fakeClient(fakeGateway(views), params).opening;

  it.each(['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'])(
    verifies('A2', 'gives the version %s to who asks for it'),
    (version) => {
      const old = viewOf('old', { session: fakeSession({ protocolVersion: '2024-11-05' }) });
      expect(opening({ protocolVersion: version }, old).protocolVersion).toBe(version);
    },
  );

  it.each(['2026-07-28', '1999-01-01', '', 5, null, undefined])(
    verifies('A3', 'gives 2025-11-25 to who asks for %j'),
    (protocolVersion) => {
      expect(opening({ protocolVersion }).protocolVersion).toBe('2025-11-25');
    },
  );

  it(verifies(['A1', 'A13'], 'counts a backend that was never seen as able to do everything'), () => {
    expect(opening({}, never)).toEqual({
      protocolVersion: '2025-11-25',
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        logging: {},
        completions: {},
      },
      serverInfo: { name: 'onemcp', version: '1.2.3' },
    });
  });

  it(
    verifies('A14', 'offers MCP Apps with the mimeTypes of all servers, and other extensions only of the server they are let through to'),
    () => {
      const ui = (mimeTypes: string[], more = {}) => ({
        extensions: { 'io.modelcontextprotocol/ui': { mimeTypes }, 'com.acme/x': { from: mimeTypes[0] }, ...more },
      });
      const views = [
        viewOf('a', { session: fakeSession({ capabilities: ui(['text/a', 'text/both']) }) }),
        viewOf('b', { session: fakeSession({ capabilities: ui(['text/b', 'text/both'], { 'com.acme/unknown': {} }) }) }),
      ];
      const { opening: result } = fakeClient(fakeGateway(views, { extensions: { 'com.acme/x': 'b' } }));
      expect((result.capabilities as Json).extensions).toEqual({
        'io.modelcontextprotocol/ui': { mimeTypes: ['text/a', 'text/both', 'text/b'] },
        'com.acme/x': { from: 'text/b' },
      });
    },
  );

  it('offers no completions to a client of 2024-11-05, which does not know that capability', () => {
    expect(opening({ protocolVersion: '2024-11-05' }, never).capabilities).not.toHaveProperty('completions');
  });

  it(verifies('A12', 'offers only what some known backend can do'), () => {
    const tools = viewOf('a', { session: fakeSession({ capabilities: { tools: {} } }) });
    const down = viewOf('b', { state: 'retrying', info: fakeSession({ capabilities: { resources: {} } }).info });
    expect(opening({}, tools, down).capabilities).toEqual({ tools: { listChanged: true }, resources: { listChanged: true } });
  });
});

it(verifies('A17', 'ping is answered although every backend hangs'), async () => {
  const { client, session } = withBackend(() => new Promise(() => {}));
  expect((await client.ask('ping')).result).toEqual({});
  expect(session.received).toEqual([]);
});

it('a wait that is over leaves nothing behind: no timer, no listener', async () => {
  const gateway = fakeGateway([viewOf('a', { state: 'starting' })]);
  const listeners = new Set<() => void>();
  const signal: CancelSignal = {
    aborted: false,
    reason: undefined,
    addEventListener: (_, listener) => void listeners.add(listener),
    removeEventListener: (_, listener) => void listeners.delete(listener),
  };
  const waiting = waitFor(gateway.context, { ms: 1_000, signal }, ({ backends }) => backends.get('a')?.session);
  expect([listeners.size, gateway.listeners, vi.getTimerCount()]).toEqual([1, 1, 1]);
  gateway.set(viewOf('a'));
  expect(await waiting).toBeDefined();
  expect([listeners.size, gateway.listeners, vi.getTimerCount()]).toEqual([0, 0, 0]);
});

describe('a list', () => {
  const starting = viewOf('slow', { state: 'starting' });
  const ready = viewOf('a', { items: TOOLS });

  it(verifies('B21', 'is the same bytes each time'), async () => {
    const client = fakeClient(fakeGateway([ready]));
    const [one, two] = [await client.ask('tools/list', {}, 1), await client.ask('tools/list', {}, 1)];
    expect(one.text).toBe(two.text);
    expect(namesOf(one)).toEqual(['a__t']);
    expect(one.result._meta).toBeUndefined();
  });

  it('of every kind has its own key, and is an array although nothing is there', async () => {
    const client = fakeClient(fakeGateway([]));
    const results = [];
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'])
      results.push((await client.ask(method)).result);
    expect(results).toEqual([{ tools: [] }, { prompts: [] }, { resources: [] }, { resourceTemplates: [] }]);
  });

  it('asks no backend', async () => {
    const { client, session } = withBackend(() => ({}));
    await client.ask('tools/list');
    expect(session.received).toEqual([]);
  });

  it(verifies('B30', 'of backends that are down is empty and partial, not an error'), async () => {
    const down = viewOf('down', {
      state: 'retrying',
      settled: true,
      lastError: new OnemcpError('spawn_failed', 'no', { reason: 'not-found' }),
    });
    const other = viewOf('other', { namespace: 'o', state: 'error', settled: true, lastError: new OnemcpError('timeout', 'late') });
    const { result } = await fakeClient(fakeGateway([down, other])).ask('tools/list');
    expect(result).toEqual({
      tools: [],
      _meta: {
        'dev.onemcp/partial': [
          { server: 'down', state: 'retrying', reason: 'not-found' },
          { server: 'o', state: 'error', reason: 'timeout' },
        ],
      },
    });
  });

  it('of a backend that was connected before is complete while it is down', async () => {
    const down = viewOf('a', { state: 'retrying', settled: true, connects: 1, items: TOOLS });
    const { result } = await fakeClient(fakeGateway([down])).ask('tools/list');
    expect([namesOf({ result }), result._meta]).toEqual([['a__t'], undefined]);
  });

  it(verifies(['B31', 'initial-wait'], 'at the start waits for a backend that is ready after 2 s'), async () => {
    const gateway = fakeGateway([ready, starting]);
    const answer = fakeClient(gateway).ask('tools/list');
    await pass(2_000);
    gateway.set(viewOf('slow', { items: { tools: [tool('late')] } }));
    expect(namesOf(await answer)).toEqual(['a__t', 'slow__late']);
    expect([performance.now() - gateway.context.startedAt, gateway.listeners]).toEqual([2_000, 0]);
  });

  it(
    verifies(['B26', 'B32', 'initial-wait'], 'at the start does not wait longer than initialWait, and says whose items are missing'),
    async () => {
      const gateway = fakeGateway([ready, starting]);
      let answered = false;
      const answer = fakeClient(gateway).ask('tools/list');
      void answer.then(() => (answered = true));
      await pass(4_999);
      expect(answered).toBe(false);
      await pass(1);
      expect(namesOf(await answer)).toEqual(['a__t']);
      expect((await answer).result._meta).toEqual({ 'dev.onemcp/partial': [{ server: 'slow', state: 'starting' }] });
      expect(gateway.listeners).toBe(0);
    },
  );

  it(verifies('initial-wait', 'counts initialWait from the start of the gateway, not from the request'), async () => {
    const gateway = fakeGateway([ready, starting]);
    await pass(4_000);
    const answer = fakeClient(gateway).ask('tools/list');
    await pass(1_000);
    expect(namesOf(await answer)).toEqual(['a__t']);
    expect(namesOf(await fakeClient(gateway).ask('tools/list'))).toEqual(['a__t']);
  });

  it(verifies('initial-wait', 'does not wait for a backend that has failed already'), async () => {
    const gateway = fakeGateway([ready, starting]);
    const answer = fakeClient(gateway).ask('tools/list');
    gateway.set(viewOf('slow', { state: 'retrying', settled: true, failures: 1 }));
    expect(namesOf(await answer)).toEqual(['a__t']);
  });

  it('with initialWait 0 never waits', async () => {
    expect(namesOf(await fakeClient(fakeGateway([ready, starting], { limits: { initialWait: 0 } })).ask('tools/list'))).toEqual(['a__t']);
  });

  it('that waits can be cancelled', async () => {
    const gateway = fakeGateway([starting]);
    const client = fakeClient(gateway);
    const answer = client.request('tools/list', {}, 9);
    client.cancel(9);
    expect([await answer, gateway.listeners, vi.getTimerCount()]).toEqual([undefined, 0, 0]);
  });

  it(verifies(['B24', 'B25'], 'longer than a page is walked with our cursors, which no other list accepts'), async () => {
    const gateway = fakeGateway([viewOf('a', { items: { tools: ['1', '2', '3', '4', '5'].map((name) => tool(name)) } })], {
      limits: { 'list.pageSize': 2 },
    });
    const client = fakeClient(gateway);
    const names: string[] = [];
    let cursor: unknown;
    for (let page = 0; page < 3; page++) {
      const answer = await client.ask('tools/list', cursor === undefined ? {} : { cursor });
      names.push(...namesOf(answer));
      if (page === 0) {
        const wrong = await client.ask('prompts/list', { cursor: answer.result.nextCursor });
        expect([wrong.error.code, wrong.error.message]).toEqual([-32602, expect.stringMatching(/^Invalid cursor/)]);
      }
      cursor = answer.result.nextCursor;
    }
    expect([names, cursor]).toEqual([['a__1', 'a__2', 'a__3', 'a__4', 'a__5'], undefined]);
  });
});

describe('tools/call', () => {
  it(verifies('C42', 'sends the own name of the tool to the own backend'), async () => {
    const session = fakeSession({ answer: ({ params }) => ({ got: params?.name }) });
    const gateway = fakeGateway([viewOf('a', { session, items: { tools: [tool('admin.tools.list'), tool('x'.repeat(100))] } })]);
    const client = fakeClient(gateway);
    const exposed = namesOf(await client.ask('tools/list'));
    const got = [];
    for (const name of exposed) got.push((await client.ask('tools/call', { name })).result.got);
    expect(got).toEqual(['admin.tools.list', 'x'.repeat(100)]);
    for (const name of exposed) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it(verifies('C43', 'works for a name of 100 characters'), async () => {
    const { client } = withBackend(({ params }) => ({ got: params?.name }), { items: { tools: [tool('y'.repeat(100))] } });
    const [name] = namesOf(await client.ask('tools/list'));
    expect([name?.length, (await client.ask('tools/call', { name })).result.got]).toEqual([64, 'y'.repeat(100)]);
  });

  it(verifies('D59', 'relays a result with isError, unknown content and unknown fields as it is'), async () => {
    const result = {
      isError: true,
      content: [
        { type: 'hologram', x: 1 },
        { type: 'text', text: 'no' },
      ],
      structuredContent: [1],
      x: null,
      _meta: { 'v/a': 1 },
    };
    const { client } = withBackend(() => structuredClone(result));
    expect((await client.ask('tools/call', { name: 'a__t' })).result).toEqual(result);
  });

  it(verifies('C56', 'of an unknown tool is -32602, and reaches nobody'), async () => {
    const { client, session } = withBackend(() => ({}));
    for (const name of ['a__nothing', 'nothing', 'b__t', '']) {
      expect((await client.ask('tools/call', { name })).error).toEqual({ code: -32602, message: `Unknown tool: ${name}` });
    }
    expect(session.received).toEqual([]);
  });

  it.each([undefined, 5, null, {}])('without a text as name (%j) is -32602', async (name) => {
    const { client } = withBackend(() => ({}));
    expect((await client.ask('tools/call', { name })).error.code).toBe(-32602);
  });

  it(verifies('C50', 'exposes the links of its result, and they lead back'), async () => {
    const { client, session } = withBackend(({ method }) =>
      method === 'tools/call'
        ? { content: [{ type: 'resource_link', uri: 'db://unlisted' }] }
        : { contents: [{ uri: 'db://unlisted', text: 'here' }] },
    );
    const [link] = (await client.ask('tools/call', { name: 'a__t' })).result.content as { uri: string }[];
    expect(link?.uri).toBe('db://a/unlisted');
    expect((await client.ask('resources/read', { uri: link?.uri })).result).toEqual({
      contents: [{ uri: 'db://a/unlisted', text: 'here' }],
    });
    expect(session.received.at(-1)?.params).toEqual({ uri: 'db://unlisted' });
  });

  describe('to a backend that is not connected', () => {
    const retrying = () => viewOf('a', { state: 'retrying', settled: true, connects: 1, items: TOOLS });

    it(verifies('D62', 'waits for it, and succeeds when it comes'), async () => {
      const gateway = fakeGateway([retrying()]);
      const answer = fakeClient(gateway).ask('tools/call', { name: 'a__t' });
      await pass(9_000);
      gateway.set(viewOf('a', { session: fakeSession({ answer: () => ({ ok: true }) }), items: TOOLS }));
      expect((await answer).result).toEqual({ ok: true });
      expect([gateway.listeners, vi.getTimerCount()]).toEqual([0, 0]);
    });

    it(verifies('D62', 'waits for one that was never connected, by its namespace'), async () => {
      const gateway = fakeGateway([viewOf('a', { state: 'starting' })]);
      const client = fakeClient(gateway);
      const [known, unknown] = [client.ask('tools/call', { name: 'a__t' }), client.ask('tools/call', { name: 'a__other' })];
      await pass(3_000);
      gateway.set(viewOf('a', { session: fakeSession({ answer: () => ({ ok: true }) }), items: TOOLS }));
      expect((await known).result).toEqual({ ok: true });
      expect((await unknown).error).toEqual({ code: -32602, message: 'Unknown tool: a__other' });
    });

    it(verifies('D62', 'is told after callWait: the server, its state, its last error, what happens next'), async () => {
      vi.setSystemTime(1_000_000);
      const gateway = fakeGateway([
        { ...retrying(), failures: 2, retryAt: 1_012_500, lastError: new OnemcpError('backend_exited', '"a" exited with code 1') },
      ]);
      const answer = fakeClient(gateway).ask('tools/call', { name: 'a__t' });
      await pass(10_000);
      expect(await answer.then(textOf)).toBe(
        'Server "a" is down and will be restarted. The call waited 10 s for it. Last error: "a" exited with code 1. The next start is in 2.5 s (attempt 3). Nothing was sent to it.',
      );
      expect(metaOf(await answer)).toEqual({ server: 'a', reason: 'unavailable', retryable: true, retryAfterMs: 2_500 });
      expect((await answer).result.isError).toBe(true);
    });

    it(verifies('D62', 'is told the same of one that never came'), async () => {
      const gateway = fakeGateway([viewOf('a', { state: 'starting' })]);
      const answer = fakeClient(gateway).ask('tools/call', { name: 'a__t' });
      await pass(10_000);
      expect(await answer.then(textOf)).toBe(
        'Server "a" is still starting. It will be usable as soon as it is connected. Nothing was sent to it.',
      );
    });

    it(verifies('D62', 'waits for any that was never connected, where names have no prefix'), async () => {
      const gateway = fakeGateway([viewOf('a', { state: 'starting' })], { prefix: 'never' });
      const answer = fakeClient(gateway).ask('tools/call', { name: 't' });
      await pass(3_000);
      gateway.set(viewOf('a', { session: fakeSession({ answer: () => ({ ok: true }) }), items: TOOLS }));
      expect((await answer).result).toEqual({ ok: true });
    });

    it('is told which servers were not seen yet, where names have no prefix', async () => {
      const gateway = fakeGateway([viewOf('a', { state: 'starting' }), viewOf('b', { state: 'retrying' })], { prefix: 'never' });
      const answer = fakeClient(gateway).ask('tools/call', { name: 't' });
      await pass(10_000);
      expect((await answer).error).toEqual({ code: -32602, message: 'Unknown tool: t; not all servers were seen yet (a, b)' });
    });

    it.each(['stopping', 'stopped'] as const)('is told at once when it is %s with the gateway', async (state) => {
      const gateway = fakeGateway([]);
      const view = viewOf('a', { state, settled: true, connects: 1, items: TOOLS });
      gateway.setWorld(worldOf([view], { phase: 'stopping' }));
      expect(textOf(await fakeClient(gateway).ask('tools/call', { name: 'a__t' }))).toMatch(
        /^Server "a" is (being )?stopped\. Nothing was sent to it\.$/,
      );
    });

    it('is told at once how to start it when its operator has stopped it', async () => {
      const client = fakeClient(fakeGateway([viewOf('a', { state: 'stopped', settled: true, connects: 1, items: TOOLS })]));
      expect(textOf(await client.ask('tools/call', { name: 'a__t' }))).toBe(
        'Server "a" was stopped by its operator; `onemcp start a` starts it again. Nothing was sent to it.',
      );
    });

    it('waits for what comes of it while only the server is being stopped', async () => {
      const stopping = viewOf('a', { state: 'stopping', settled: true, connects: 1, items: TOOLS });
      const gateway = fakeGateway([stopping]);
      const answer = fakeClient(gateway).ask('tools/call', { name: 'a__t' });
      await pass(2_000);
      gateway.set({ ...stopping, state: 'stopped' });
      expect(textOf(await answer)).toContain('was stopped by its operator');
    });

    it('can be cancelled', async () => {
      const gateway = fakeGateway([retrying()]);
      const client = fakeClient(gateway);
      const answer = client.request('tools/call', { name: 'a__t' }, 3);
      await flush();
      client.cancel(3);
      expect([await answer, gateway.listeners, vi.getTimerCount()]).toEqual([undefined, 0, 0]);
    });

    it('is told when it is no longer configured', async () => {
      const gateway = fakeGateway([retrying()]);
      const answer = fakeClient(gateway).ask('tools/call', { name: 'a__t' });
      gateway.remove('a');
      expect(textOf(await answer)).toBe('Server "a" is no longer configured. Nothing was sent to it.');
    });
  });

  describe('that fails', () => {
    it.each<[ErrorCode, string, RegExp]>([
      ['backend_exited', 'backend-exited', /It is being restarted\.$/],
      ['connection_failed', 'connection-failed', /It is being restarted\.$/],
      ['timeout', 'timeout', /it was not repeated\.$/],
      ['message_too_large', 'message-too-large', /it was not repeated\.$/],
      ['invalid_response', 'invalid-response', /it was not repeated\.$/],
      ['shutting_down', 'shutting-down', /it was not repeated\.$/],
    ])(verifies('D63', 'with %s is one isError result that names the server, and is not repeated'), async (code, reason, aftermath) => {
      const { client, session } = withBackend(() => Promise.reject(new OnemcpError(code, 'it broke')));
      const answer = await client.ask('tools/call', { name: 'a__t' });
      expect(textOf(answer)).toMatch(/^Server "a" failed: it broke\. The call may have been executed; it was not repeated\./);
      expect(textOf(answer)).toMatch(aftermath);
      expect(metaOf(answer)).toEqual({ server: 'a', reason, retryable: true });
      expect([answer.result.isError, session.received.length]).toEqual([true, 1]);
    });

    it('because its queue is full was not sent at all', async () => {
      const { client } = withBackend(() => Promise.reject(new OnemcpError('busy', 'its queue is full')));
      expect(textOf(await client.ask('tools/call', { name: 'a__t' }))).toBe(
        'Server "a" failed: its queue is full. Nothing was sent to it.',
      );
    });

    it.each([-32700, -32600, -32601])('at the protocol itself (%j) is a result: the client could make nothing of it', async (code) => {
      const { client } = withBackend(() => Promise.reject(new WireError({ code, message: 'what?' })));
      const answer = await client.ask('tools/call', { name: 'a__t' });
      expect(textOf(answer)).toBe('Server "a" refused the call: what?');
      expect(metaOf(answer)).toEqual({ server: 'a', reason: 'upstream-error', retryable: false, upstreamCode: code });
    });

    it.each([-32000, -32002, -32602, -32603, -1, 4711])(verifies('D60', 'with the error %j of the backend is that error'), async (code) => {
      const error = { code, message: 'm', data: { deep: [1] } };
      const { client } = withBackend(() => Promise.reject(new WireError(error)));
      expect((await client.ask('tools/call', { name: 'a__t' })).error).toEqual(error);
    });

    it('by a bug of ours is -32603 without its text', async () => {
      const { client, gateway } = withBackend(() => Promise.reject(new TypeError('x is not a function')));
      expect((await client.ask('tools/call', { name: 'a__t' })).error).toEqual({
        code: -32603,
        message: 'Internal error of onemcp; see its log',
      });
      expect(gateway.bugs).toHaveLength(1);
    });
  });
});

describe('prompts/get', () => {
  const prompts = { items: { prompts: [{ name: 'ask' }] } };

  it('asks the owner by its own name, and exposes the links of the result', async () => {
    const { client, session } = withBackend(
      () => ({ messages: [{ role: 'user', content: { type: 'resource_link', uri: 'ui://w' } }] }),
      prompts,
    );
    const { result } = await client.ask('prompts/get', { name: 'a__ask', arguments: { x: '1' } });
    expect(session.received[0]?.params).toEqual({ name: 'ask', arguments: { x: '1' } });
    expect(result).toEqual({ messages: [{ role: 'user', content: { type: 'resource_link', uri: 'ui://a/w' } }] });
  });

  it('of an unknown prompt is -32602', async () => {
    const { client } = withBackend(() => ({}));
    expect((await client.ask('prompts/get', { name: 'a__x' })).error).toEqual({ code: -32602, message: 'Unknown prompt: a__x' });
    expect((await client.ask('prompts/get', {})).error.code).toBe(-32602);
  });

  it('of a backend that is down is -32603 with its name', async () => {
    const client = fakeClient(fakeGateway([viewOf('a', { state: 'stopped', ...prompts })]));
    expect((await client.ask('prompts/get', { name: 'a__ask' })).error).toEqual({
      code: -32603,
      message: 'Server "a" was stopped by its operator; `onemcp start a` starts it again. Nothing was sent to it.',
      data: { server: 'a', reason: 'unavailable', retryable: true },
    });
  });

  it.each([
    [
      new OnemcpError('timeout', 'silent', { reason: 'timeout' }),
      { code: -32603, message: 'silent', data: { server: 'a', reason: 'timeout', retryable: true } },
    ],
    [new WireError({ code: 4711, message: 'm', data: 1 }), { code: 4711, message: 'm', data: 1 }],
    [
      new WireError({ code: -32601, message: 'm' }),
      {
        code: -32603,
        message: 'Server "a" refused the request: m',
        data: { server: 'a', reason: 'upstream-error', retryable: false, upstreamCode: -32601 },
      },
    ],
  ])('that fails is an error: %o', async (thrown, error) => {
    const { client } = withBackend(() => Promise.reject(thrown), prompts);
    expect((await client.ask('prompts/get', { name: 'a__ask' })).error).toEqual(error);
  });
});

describe('resources/read', () => {
  it(verifies(['C48', 'C53'], 'asks the owner by its own URI, and answers with the URI that was asked for'), async () => {
    const { client, session } = withBackend(({ params }) => ({ contents: [{ uri: params?.uri, text: 'x' }] }));
    const uri = 'onemcp://a/file:///a%20b/../c?x=%2F';
    const { result } = await client.ask('resources/read', { uri });
    expect(session.received[0]?.params).toEqual({ uri: 'file:///a%20b/../c?x=%2F' });
    expect(result).toEqual({ contents: [{ uri, text: 'x' }] });
  });

  it(verifies('C57', 'of an unknown URI is -32002 with it'), async () => {
    const { client } = withBackend(() => ({}));
    expect((await client.ask('resources/read', { uri: 'urn:x' })).error).toEqual({
      code: -32002,
      message: 'Resource not found: urn:x: no server offers it',
      data: { uri: 'urn:x' },
    });
    expect((await client.ask('resources/read', {})).error.code).toBe(-32602);
  });

  it(verifies('C57', 'that the backend does not find names the URI the client knows'), async () => {
    const { client } = withBackend(({ params }) =>
      Promise.reject(new WireError({ code: -32002, message: 'gone', data: { uri: params?.uri, x: 1 } })),
    );
    expect((await client.ask('resources/read', { uri: 'db://a/x' })).error).toEqual({
      code: -32002,
      message: 'gone',
      data: { uri: 'db://a/x', x: 1 },
    });
  });
});

describe('completion/complete', () => {
  const items = { prompts: [{ name: 'ask' }], templates: [{ uriTemplate: 'db://{table}/rows' }], resources: [{ uri: 'db://one' }] };
  const NO_VALUES = { completion: { values: [], total: 0, hasMore: false } };
  const argument = { name: 'table', value: 'us' };
  const complete = (client: ReturnType<typeof fakeClient>, ref: unknown) => client.ask('completion/complete', { ref, argument });
  const prompt = { type: 'ref/prompt', name: 'a__ask' };

  it.each([
    [prompt, { type: 'ref/prompt', name: 'ask' }],
    [
      { type: 'ref/resource', uri: 'db://a/{table}/rows' },
      { type: 'ref/resource', uri: 'db://{table}/rows' },
    ],
    [
      { type: 'ref/resource', uri: 'db://a/one' },
      { type: 'ref/resource', uri: 'db://one' },
    ],
  ])(verifies('C54', 'of %j asks the owner of %j'), async (ref, own) => {
    const { client, session } = withBackend(() => ({ completion: { values: ['users'], x: 1 } }), { items });
    expect((await complete(client, ref)).result).toEqual({ completion: { values: ['users'], x: 1 } });
    expect(session.received[0]?.params).toEqual({ ref: own, argument });
  });

  it(verifies('C55', 'gives no values for a backend that cannot complete, and does not ask it'), async () => {
    const session = fakeSession({ capabilities: { prompts: {} } });
    const client = fakeClient(fakeGateway([viewOf('a', { session, items })]));
    expect((await complete(client, prompt)).result).toEqual(NO_VALUES);
    expect(session.received).toEqual([]);
  });

  it('asks a backend of 2024-11-05, which knows no such capability', async () => {
    const session = fakeSession({ capabilities: {}, protocolVersion: '2024-11-05', answer: () => ({ completion: { values: ['x'] } }) });
    expect((await complete(fakeClient(fakeGateway([viewOf('a', { session, items })])), prompt)).result).toEqual({
      completion: { values: ['x'] },
    });
  });

  it.each([new WireError({ code: -32601, message: 'unknown' }), new OnemcpError('timeout', 'silent')])(
    verifies('C55', 'gives no values when the backend answers %o'),
    async (thrown) => {
      const { client } = withBackend(() => Promise.reject(thrown), { items });
      expect((await complete(client, prompt)).result).toEqual(NO_VALUES);
    },
  );

  it('gives no values for a backend that is down, at once', async () => {
    const client = fakeClient(fakeGateway([viewOf('a', { state: 'starting', items })]));
    expect((await complete(client, prompt)).result).toEqual(NO_VALUES);
  });

  it('gives at most 100 values', async () => {
    const values = Array.from({ length: 101 }, (_, n) => `v${n}`);
    const { client } = withBackend(() => ({ completion: { values, total: 101 } }), { items });
    expect((await complete(client, prompt)).result).toEqual({ completion: { values: values.slice(0, 100), total: 101, hasMore: true } });
  });

  it.each([
    null,
    undefined,
    {},
    { type: 'ref/x', name: 'a' },
    { type: 'ref/prompt', name: 'a__nothing' },
    { type: 'ref/prompt' },
    { type: 'ref/resource', uri: 'urn:nobody' },
  ])('of the unknown reference %j is -32602', async (ref) => {
    const { client } = withBackend(() => ({}), { items });
    expect((await complete(client, ref)).error.code).toBe(-32602);
  });
});

describe('a method of an extension', () => {
  it(verifies('L156', 'reaches only the server it is let through to, as it is'), async () => {
    const [x, y] = [fakeSession({ answer: () => ({ found: 1 }) }), fakeSession()];
    const views = [viewOf('x', { session: x }), viewOf('y', { session: y })];
    const client = fakeClient(fakeGateway(views, { extensions: { 'com.acme/find': 'x' } }));
    expect((await client.ask('com.acme/find/now', { q: 1 })).result).toEqual({ found: 1 });
    expect(x.received).toMatchObject([{ method: 'com.acme/find/now', params: { q: 1 } }]);
    expect((await client.ask('com.acme/finder')).error.code).toBe(-32601);
    expect(y.received).toEqual([]);
  });
});
