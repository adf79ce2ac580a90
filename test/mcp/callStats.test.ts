import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, OnemcpError, WireError } from '../../src/errors.ts';
import { CALL_ERRORS, type CallStats, COUNTED_METHODS, OUTCOMES } from '../../src/mcp/callStats.ts';
import type { Json } from '../../src/world.ts';
import { deferred, fakeClient, fakeGateway, fakeSession, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

/** What was counted, in words; zeros left out. */
function said(stats: CallStats | undefined): Record<string, number> {
  if (!stats) throw new Error('nobody counts');
  const calls = stats.calls.map((count, index) => {
    const method = COUNTED_METHODS[Math.floor(index / OUTCOMES.length)];
    return [`${method} ${OUTCOMES[index % OUTCOMES.length]}`, count] as const;
  });
  const errors = stats.errors.map((count, index) => [CALL_ERRORS[index] as string, count] as const);
  return Object.fromEntries([...calls, ...errors].filter(([, count]) => count > 0));
}

const outcomeSum = (stats: CallStats, outcome: (typeof OUTCOMES)[number]) =>
  total(stats.calls.filter((_, index) => OUTCOMES[index % OUTCOMES.length] === outcome));

/** One backend that answers a tool call as its arguments say. */
function gatewayOf(more: Parameters<typeof fakeGateway>[1] = {}) {
  let lost = 0;
  const session = fakeSession({
    answer({ method, params, options }) {
      const { fate, code } = (params?.arguments ?? {}) as { fate?: string; code?: ErrorCode };
      if (method !== 'tools/call' || fate === 'ok') return {};
      if (fate === 'tool_error') return { isError: true, content: [] };
      if (fate === 'rpc') throw new WireError({ code: -32050, message: 'no' });
      if (fate === 'refused') throw new WireError({ code: -32601, message: 'what?' });
      if (fate === 'bug') throw new TypeError('a bug');
      if (fate === 'lost' && lost++ % 2 === 0) throw new OnemcpError('connection_failed', 'lost', { server: 'a', sent: false });
      if (fate === 'local') throw new OnemcpError(code ?? 'timeout', 'local', { server: 'a' });
      if (fate !== 'hang') return {};
      const { promise, reject } = deferred<Json>();
      options.signal?.addEventListener('abort', () => reject(new OnemcpError('cancelled', 'the call was cancelled')));
      return promise;
    },
  });
  const items = { tools: [tool('t')], prompts: [{ name: 'p' }], resources: [{ uri: 'x://r' }] };
  const gateway = fakeGateway([viewOf('a', { session, items })], { counts: true, ...more });
  const client = fakeClient(gateway);
  const call = (args: Json, id?: number) => client.request('tools/call', { name: 'a__t', arguments: args }, id);
  return { gateway, client, call, stats: () => gateway.context.lanes.of('a').stats, unrouted: () => gateway.context.lanes.unrouted };
}

describe('calls', () => {
  it(verifies('metrics', 'are counted by their outcome'), async () => {
    const { call, client, stats, gateway } = gatewayOf();
    await call({ fate: 'ok' });
    await call({ fate: 'tool_error' });
    await call({ fate: 'rpc' });
    await call({ fate: 'refused' });
    await call({ fate: 'local', code: 'message_too_large' });
    await call({ fate: 'lost' });
    await client.ask('prompts/get', { name: 'a__p' });
    const hanging = call({ fate: 'hang' }, 77);
    client.cancel(77);
    await hanging;
    expect(said(stats())).toEqual({
      'tools/call ok': 2,
      'tools/call tool_error': 1,
      'tools/call error': 3,
      'tools/call cancelled': 1,
      'prompts/get ok': 1,
      rpc: 2,
      message_too_large: 1,
    });
    expect(stats()?.repeats).toBe(1);
    expect(gateway.bugs).toEqual([]);
  });

  it('that belong to no backend are counted apart, those of a backend that is down at it', async () => {
    const { client, gateway, unrouted, stats } = gatewayOf({ limits: { callWait: 0 } });
    await client.ask('tools/call', { name: 'nobody__t' });
    await client.ask('tools/call', {});
    expect(said(unrouted())).toEqual({ 'tools/call error': 2, unknown_tool: 1, invalid_params: 1 });
    gateway.set(viewOf('a', { state: 'failed', connects: 0 }));
    await client.ask('tools/call', { name: 'a__t' });
    expect(said(stats())).toEqual({ 'tools/call error': 1, backend_unavailable: 1 });
  });

  it('without an answer are no errors where the client gets none: a completion that nobody can give', async () => {
    const session = fakeSession({ capabilities: { prompts: {} } });
    const gateway = fakeGateway([viewOf('a', { session, items: { prompts: [{ name: 'p' }] } })], { counts: true });
    const params = { ref: { type: 'ref/prompt', name: 'a__p' }, argument: { name: 'x', value: '' } };
    await fakeClient(gateway).ask('completion/complete', params);
    expect(said(gateway.context.lanes.of('a').stats)).toEqual({ 'completion/complete ok': 1 });
  });

  it('are not counted where nobody wants to know', async () => {
    const { call, stats, unrouted } = gatewayOf({ counts: false });
    await call({ fate: 'ok' });
    await call({ fate: 'rpc' });
    expect([stats(), unrouted()]).toEqual([undefined, undefined]);
  });

  it('last as long as they took', async () => {
    let now = 0;
    const session = fakeSession({
      answer: () => {
        now += 40;
        return {};
      },
    });
    const gateway = fakeGateway([viewOf('a', { session, items: { tools: [tool('t')] } })], { counts: true, now: () => now });
    await fakeClient(gateway).ask('tools/call', { name: 'a__t' });
    const { stats } = gateway.context.lanes.of('a');
    expect([stats?.total, stats?.durations]).toEqual([40, expect.arrayContaining([1])]);
    expect(stats?.durations.indexOf(1)).toBe(5);
  });

  it(verifies('metrics', 'are each counted once, whatever happens to them'), async () => {
    const fate = fc.oneof(
      fc.constantFrom('ok', 'tool_error', 'rpc', 'refused', 'bug', 'lost', 'hang').map((name) => ({ fate: name })),
      fc.constantFrom<ErrorCode>('timeout', 'backend_exited', 'busy', 'cancelled', 'internal').map((code) => ({ fate: 'local', code })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { maxLength: 30 }), fc.nat(3), async (fates, strangers) => {
        const { client, call, stats, unrouted, gateway } = gatewayOf({ limits: { callWait: 0 } });
        const running = fates.map((args, index) => call(args, index));
        const lost = Array.from({ length: strangers }, (_, n) => client.request('tools/call', { name: 'nobody__t' }, `stranger ${n}`));
        fates.forEach((args, index) => {
          if (args.fate === 'hang') client.cancel(index);
        });
        await Promise.all([...running, ...lost]);
        const own = gateway.context.lanes.of('a');
        const counted = stats() as CallStats;
        expect(total(counted.calls)).toBe(fates.length);
        expect(total(counted.durations)).toBe(fates.length);
        expect(total(counted.errors)).toBe(outcomeSum(counted, 'error'));
        expect(total((unrouted() as CallStats).calls)).toBe(strangers);
        expect([own.inFlight, own.isEmpty]).toEqual([0, true]);
      }),
      { numRuns: 100 },
    );
  });
});
