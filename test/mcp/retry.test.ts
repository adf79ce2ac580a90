import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ErrorCode, OnemcpError, WireError } from '../../src/errors.ts';
import { ERROR_META } from '../../src/mcp/failure.ts';
import { type Attempt, isOver, mayRepeat } from '../../src/mcp/retry.ts';
import type { Json } from '../../src/world.ts';
import {
  type FakeBackend,
  type FakeSession,
  fakeClient,
  fakeGateway,
  fakeSession,
  flush,
  type Received,
  tool,
  viewOf,
} from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const textOf = ({ result }: { result: Json }) => (result.content as { text: string }[])[0]?.text;

const lost = (code: ErrorCode = 'backend_exited', more: Json = {}) => new OnemcpError(code, `"a": ${code}`, { server: 'a', ...more });
const IDEMPOTENT = { idempotentHint: true };

describe('a request that failed', () => {
  const attempt = (more: Partial<Attempt>): Attempt => ({
    method: 'tools/call',
    error: lost(),
    retry: 'safe',
    annotations: undefined,
    asked: false,
    ...more,
  });
  const LOST: readonly ErrorCode[] = ['backend_exited', 'connection_failed', 'session_lost', 'shutting_down'];
  const READS = ['resources/read', 'prompts/get', 'completion/complete', 'resources/subscribe'];

  it.each(LOST)(
    verifies('safe-retry', 'with %s is repeated when it only reads, and a tool only when it is idempotent and trusted'),
    (code) => {
      const error = lost(code);
      for (const method of READS) expect(mayRepeat(attempt({ method, error }))).toBe(true);
      expect(mayRepeat(attempt({ error, annotations: IDEMPOTENT }))).toBe(false);
      for (const annotations of [IDEMPOTENT, { readOnlyHint: true }]) {
        expect(mayRepeat(attempt({ error, retry: 'idempotent', annotations }))).toBe(true);
      }
      for (const annotations of [undefined, null, {}, { idempotentHint: 'true' }, { destructiveHint: false }]) {
        expect(mayRepeat(attempt({ error, retry: 'idempotent', annotations }))).toBe(false);
      }
      expect(mayRepeat(attempt({ error, method: 'com.acme/find', retry: 'idempotent', annotations: IDEMPOTENT }))).toBe(false);
    },
  );

  it.each([...LOST, 'unresponsive', 'memory_exceeded'] as const)(
    verifies('safe-retry', 'with %s is repeated whatever it is when it was not sent'),
    (code) => {
      for (const method of ['tools/call', 'com.acme/find', ...READS]) {
        expect(mayRepeat(attempt({ method, error: lost(code, { sent: false }) }))).toBe(true);
      }
    },
  );

  it(verifies('safe-retry', 'is never repeated after a silence, a refusal or an answer, nor when somebody was asked for it'), () => {
    const never = ['timeout', 'cancelled', 'busy', 'invalid_response', 'message_too_large', 'unresponsive', 'memory_exceeded'] as const;
    const readable = { method: 'resources/read', retry: 'idempotent', annotations: IDEMPOTENT } as const;
    for (const code of never) expect(mayRepeat(attempt({ ...readable, error: lost(code) }))).toBe(false);
    for (const code of ['timeout', 'cancelled', 'busy'] as const) {
      expect(mayRepeat(attempt({ ...readable, error: lost(code, { sent: false }) }))).toBe(false);
    }
    for (const error of [new WireError({ code: -32603, message: 'no' }), new TypeError('bug')]) {
      expect(mayRepeat(attempt({ ...readable, error }))).toBe(false);
    }
    expect(mayRepeat(attempt({ ...readable, asked: true }))).toBe(false);
  });

  it(verifies('safe-retry', 'is never repeated with retry never, not even when it was not sent'), () => {
    for (const error of [lost(), lost('shutting_down', { sent: false })]) {
      expect(mayRepeat(attempt({ method: 'resources/read', retry: 'never', error }))).toBe(false);
    }
  });

  it('knows a session that has ended before the World shows it', () => {
    const session = fakeSession();
    expect(isOver(session)).toBe(false);
    session.emit({ type: 'closed', error: lost() });
    expect(isOver(session)).toBe(true);
  });
});

/** A backend whose first session dies under its first request, and a second one that answers. */
function dying(error: OnemcpError, view: FakeBackend = {}, second: (received: Received) => Json | Promise<Json> = () => ({ content: [] })) {
  const first: FakeSession = fakeSession({
    answer: () => {
      first.emit({ type: 'closed', error });
      throw error;
    },
  });
  const next = fakeSession({ answer: second });
  const items = {
    tools: [tool('t'), tool('safe', { annotations: IDEMPOTENT })],
    prompts: [{ name: 'ask' }],
    resources: [{ uri: 'db://x' }],
  };
  const shown = { items, ...view };
  const gateway = fakeGateway([viewOf('a', { session: first, ...shown })], { extensions: { 'com.acme/x': 'a' } });
  return {
    first,
    next,
    gateway,
    client: fakeClient(gateway),
    down: () => gateway.set(viewOf('a', { ...shown, state: 'retrying', connects: 1 })),
    up: () => gateway.set(viewOf('a', { ...shown, session: next })),
  };
}

describe('a repetition', () => {
  it(
    verifies('safe-retry', 'goes to the next connection, with the parameters as the backend knows them and a progress token of its own'),
    async () => {
      const { client, first, next, down, up } = dying(lost('backend_exited', { sent: false }), {}, ({ options }) => {
        options.onProgress?.({ progressToken: 77, progress: 1 });
        return { content: [] };
      });
      const answer = client.ask('tools/call', { name: 'a__t', arguments: { x: 1 }, _meta: { progressToken: 'mine', 'v/a': 1 } });
      await flush();
      // Before the World knows that it is gone.
      expect([first.received.length, next.received.length]).toEqual([1, 0]);
      down();
      await pass(3_000);
      up();
      expect((await answer).result).toEqual({ content: [] });
      expect(next.received[0]?.params).toEqual({ name: 't', arguments: { x: 1 }, _meta: { 'v/a': 1 } });
      expect(client.progress).toEqual([
        { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'mine', progress: 1 } },
      ]);
    },
  );

  it.each([
    ['resources/read', { uri: 'db://a/x' }, { uri: 'db://x' }, { contents: [{ uri: 'db://x' }] }, { contents: [{ uri: 'db://a/x' }] }],
    ['prompts/get', { name: 'a__ask' }, { name: 'ask' }, { messages: [] }, { messages: [] }],
  ])(verifies('safe-retry', 'of %s is made although the first may have reached the backend'), async (method, asked, own, given, got) => {
    const { client, next, down, up } = dying(lost(), {}, () => structuredClone(given));
    const answer = client.ask(method, asked);
    await flush();
    down();
    up();
    expect((await answer).result).toEqual(got);
    expect(next.received.map(({ params }) => params)).toEqual([own]);
  });

  it(verifies('safe-retry', 'of a subscription tells the next connection of it'), async () => {
    const capabilities = { resources: { subscribe: true } };
    const next = fakeSession({ capabilities });
    const first: FakeSession = fakeSession({
      capabilities,
      answer: () => {
        first.emit({ type: 'closed', error: lost() });
        throw lost();
      },
    });
    const gateway = fakeGateway([viewOf('a', { session: first })]);
    const answer = fakeClient(gateway).ask('resources/subscribe', { uri: 'db://a/x' });
    await flush();
    gateway.set(viewOf('a', { session: next }));
    expect((await answer).result).toEqual({});
    expect(next.received.map(({ method, params }) => [method, params])).toEqual([['resources/subscribe', { uri: 'db://x' }]]);
  });

  it(
    verifies('safe-retry', 'of a tool is made only if it is idempotent and its server is trusted; otherwise the error says so'),
    async () => {
      const trusted = dying(lost(), { retry: 'idempotent' });
      const answer = trusted.client.ask('tools/call', { name: 'a__safe' });
      await flush();
      trusted.up();
      expect((await answer).result).toEqual({ content: [] });
      for (const [name, view] of [
        ['a__t', { retry: 'idempotent' }],
        ['a__safe', { retry: 'safe' }],
      ] as const) {
        const { client, next, gateway } = dying(lost(), view);
        expect(textOf(await client.ask('tools/call', { name }))).toBe(
          'Server "a" failed: "a": backend_exited. The call may have been executed; it was not repeated. It is being restarted.',
        );
        expect([next.received, gateway.context.lanes.of('a').isEmpty]).toEqual([[], true]);
      }
    },
  );

  it(verifies('safe-retry', 'is made once: the error says that it was'), async () => {
    const { client, next, up } = dying(lost(), { retry: 'idempotent' }, () => Promise.reject(lost('connection_failed')));
    const answer = client.ask('tools/call', { name: 'a__safe' });
    await flush();
    up();
    expect(textOf(await answer)).toContain('The call may have been executed; it was repeated once.');
    expect(next.received).toHaveLength(1);
    const unsent = dying(lost('shutting_down', { sent: false }), {}, () => Promise.reject(lost('shutting_down', { sent: false })));
    const twice = unsent.client.ask('tools/call', { name: 'a__t' });
    await flush();
    unsent.up();
    expect(textOf(await twice)).toBe('Server "a" failed: "a": shutting_down. Nothing was sent to it; it was tried twice.');
  });

  it(verifies('safe-retry', 'that was sent once and could not be made tells why the first failed, not that nothing was sent'), async () => {
    const { client, down } = dying(lost(), { retry: 'idempotent' });
    const answer = client.ask('tools/call', { name: 'a__safe' });
    await flush();
    down();
    await pass(10_000);
    expect(textOf(await answer)).toBe(
      'Server "a" failed: "a": backend_exited. The call may have been executed; it was not repeated. It is being restarted.',
    );
    const unsent = dying(lost('backend_exited', { sent: false }));
    const nothing = unsent.client.ask('tools/call', { name: 'a__t' });
    await flush();
    unsent.down();
    await pass(10_000);
    expect(textOf(await nothing)).toMatch(/^Server "a" is down and will be restarted\..* Nothing was sent to it\.$/);
  });

  it(verifies('safe-retry', 'is not made once the client was asked something: nobody is asked twice'), async () => {
    const error = lost();
    const first: FakeSession = fakeSession({
      answer: ({ options }) => {
        const { signal } = new AbortController();
        options.upward?.request('elicitation/create', { message: 'sure?' }, { signal, onProgress: () => {} }).catch(() => {});
        first.emit({ type: 'closed', error });
        throw error;
      },
    });
    const next = fakeSession({ answer: () => ({ messages: [] }) });
    const items = { prompts: [{ name: 'ask' }] };
    for (const [capabilities, asked] of [
      [{ elicitation: {} }, 1],
      [{}, 0],
    ] as const) {
      const gateway = fakeGateway([viewOf('a', { session: first, items })]);
      const client = fakeClient(gateway, { protocolVersion: '2025-11-25', capabilities });
      const answer = client.ask('prompts/get', { name: 'a__ask' });
      await flush();
      gateway.set(viewOf('a', { session: next, items }));
      const { result, error: told } = await answer;
      expect(client.progress.map(({ method }) => method)).toEqual(asked ? ['elicitation/create'] : []);
      expect([told?.message, result]).toEqual(asked ? ['"a": backend_exited', undefined] : [undefined, { messages: [] }]);
      expect(next.received).toHaveLength(1 - asked);
    }
  });

  it('is not made for a client that has cancelled', async () => {
    const { client, next, up } = dying(lost());
    const answer = client.request('resources/read', { uri: 'db://a/x' }, 7);
    await flush();
    client.cancel(7);
    up();
    expect([await answer, next.received, vi.getTimerCount()]).toEqual([undefined, [], 0]);
  });

  it('goes over the same connection if only the request was lost', async () => {
    let lostOnce = false;
    const answer = () => {
      if (lostOnce) return { contents: [] };
      lostOnce = true;
      return Promise.reject(lost('connection_failed'));
    };
    const session = fakeSession({ answer });
    const client = fakeClient(fakeGateway([viewOf('a', { session })]));
    expect((await client.ask('resources/read', { uri: 'db://a/x' })).result).toEqual({ contents: [] });
    expect(session.received).toHaveLength(2);
  });

  it(verifies('safe-retry', 'of a method that nobody knows is not made, and its error says that it may have been executed'), async () => {
    const { client } = dying(lost());
    const { error } = await client.ask('com.acme/x/do');
    expect(error.message).toBe('"a": backend_exited. The call may have been executed; it was not repeated. It is being restarted.');
    expect(error.data).toEqual({ server: 'a', reason: 'backend-exited', retryable: true });
  });

  it('keeps what the client is told to the facts it knows', async () => {
    const { client, gateway } = dying(lost('timeout', { sent: false, secret: 'x' }));
    const meta = ((await client.ask('tools/call', { name: 'a__t' })).result._meta as Json)[ERROR_META];
    expect(meta).toEqual({ server: 'a', reason: 'timeout', retryable: true });
    expect(gateway.bugs).toEqual([]);
  });
});
