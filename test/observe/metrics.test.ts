import { describe, expect, it } from 'vitest';
import { OnemcpError, WireError } from '../../src/errors.ts';
import { CallStats, DURATIONS, methodIndex } from '../../src/mcp/callStats.ts';
import { FAMILIES, type MetricName } from '../../src/observe/families.ts';
import { samplesOf } from '../../src/observe/metrics.ts';
import { createRegistry } from '../../src/observe/registry.ts';
import { BACKEND_STATES } from '../../src/world.ts';
import { viewOf, worldOf } from '../support/fakeWorld.ts';
import { instanceOf } from '../support/machines.ts';
import { exposed, NO_FACTS } from '../support/metrics.ts';
import { verifies } from '../support/verifies.ts';

const idle = { inFlight: 0, queued: 0, queueAgeMs: 0 };

/** A backend that was called in every way. */
function called(): CallStats {
  const stats = new CallStats();
  const call = methodIndex('tools/call');
  stats.answered(call, 1, false);
  stats.answered(call, 30, false);
  stats.answered(call, 100_000, true);
  stats.failed(call, 5, new OnemcpError('timeout', 'late'));
  stats.failed(call, 5, new OnemcpError('cancelled', 'off'));
  stats.failed(methodIndex('resources/read'), 5, new WireError({ code: -32002, message: 'no' }));
  stats.failed(methodIndex('completion/complete'), 5, undefined);
  stats.failed(methodIndex('com.acme/find'), 5, new TypeError('a bug'));
  return stats;
}

describe('the text for Prometheus', () => {
  it(verifies('metrics', 'has every metric of the table, with its type, help and labels, and those of the process'), async () => {
    const { lines, types, help } = await exposed(worldOf([viewOf('a')]), { calls: () => ({ ...idle, stats: called() }) });
    for (const name of Object.keys(FAMILIES) as MetricName[]) {
      const family = FAMILIES[name];
      expect([types.get(name), help.get(name)]).toEqual([family.type, family.help]);
      const own = lines.filter((line) => line.name.replace(/_(bucket|sum|count)$/, '') === name);
      expect(own, name).not.toEqual([]);
      for (const { name: full, labels } of own) {
        expect(Object.keys(labels)).toEqual([...family.labels, ...(full.endsWith('_bucket') ? ['le'] : [])]);
      }
    }
    expect([...types.keys()].filter((name) => name.startsWith('onemcp_'))).toEqual(Object.keys(FAMILIES));
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds']) {
      expect(types.has(name), name).toBe(true);
    }
  });

  it(verifies('metrics', 'has calls by outcome, errors by code, and a histogram that grows'), async () => {
    const { value, sum, lines } = await exposed(worldOf([viewOf('a')]), { calls: () => ({ ...idle, stats: called() }) });
    const calls = (method: string, outcome: string) => value('onemcp_calls_total', { server: 'a', method, outcome });
    expect(['ok', 'tool_error', 'error', 'cancelled'].map((outcome) => calls('tools/call', outcome))).toEqual([2, 1, 1, 1]);
    expect([calls('resources/read', 'error'), calls('completion/complete', 'ok'), calls('extension', 'error')]).toEqual([1, 1, 1]);
    expect(calls('prompts/get', 'ok')).toBeUndefined();
    expect(['timeout', 'rpc', 'internal'].map((code) => value('onemcp_call_errors_total', { server: 'a', code }))).toEqual([1, 1, 1]);
    expect(sum('onemcp_call_errors_total')).toBe(3);

    const buckets = lines.filter(({ name }) => name === 'onemcp_call_duration_seconds_bucket');
    expect(buckets.map(({ labels }) => labels.le)).toEqual([...DURATIONS.map((ms) => String(ms / 1000)), '+Inf']);
    const counts = buckets.map((line) => line.value);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    const upTo = (le: string) => value('onemcp_call_duration_seconds_bucket', { le });
    expect(['0.001', '0.005', '0.025', '0.05', '60', '+Inf'].map(upTo)).toEqual([1, 6, 6, 7, 7, 8]);
    expect(value('onemcp_call_duration_seconds_count')).toBe(8);
    expect(value('onemcp_call_duration_seconds_sum')).toBeCloseTo(100.056);
  });

  it(verifies('metrics', 'has the state of each backend, and only of those that are configured'), async () => {
    const views = BACKEND_STATES.map((state) => viewOf(state, { state, asleep: state === 'idle' }));
    const { lines, value } = await exposed(worldOf(views));
    for (const server of BACKEND_STATES) {
      const states = lines.filter(({ name, labels }) => name === 'onemcp_backend_state' && labels.server === server);
      expect(states.filter((line) => line.value === 1).map(({ labels }) => labels.state)).toEqual([server]);
      expect(states).toHaveLength(BACKEND_STATES.length);
      expect(value('onemcp_backend_up', { server })).toBe(server === 'connected' || server === 'idle' ? 1 : 0);
    }
    const without = await exposed(worldOf([]), { calls: () => ({ ...idle, stats: called() }) });
    expect(without.lines.filter(({ labels }) => labels.server)).toEqual([]);
  });

  it(verifies('metrics', 'has what is in flight and waits, in seconds, and the calls that belong to nobody'), async () => {
    const unrouted = new CallStats();
    unrouted.failed(0, 1, new OnemcpError('unknown_tool', 'no'));
    const { value } = await exposed(worldOf([viewOf('a')]), {
      calls: () => ({ stats: undefined, inFlight: 3, queued: 2, queueAgeMs: 1_500 }),
      unrouted,
    });
    const server = { server: 'a' };
    expect(value('onemcp_calls_in_flight', server)).toBe(3);
    expect(value('onemcp_queue_length', server)).toBe(2);
    expect(value('onemcp_queue_age_seconds', server)).toBe(1.5);
    expect(value('onemcp_calls_total', { server: '', outcome: 'error' })).toBe(1);
    expect(value('onemcp_call_errors_total', { server: '', code: 'unknown_tool' })).toBe(1);
  });

  it('has the gateway as a whole', async () => {
    const up = viewOf('a');
    const down = viewOf('b', { state: 'failed' });
    const status = async (...args: Parameters<typeof exposed>) => (await exposed(...args)).value('onemcp_gateway_status');
    expect(await status(worldOf([up]))).toBe(0);
    expect(await status(worldOf([up]), { hasProblems: true })).toBe(1);
    expect(await status(worldOf([up, down]))).toBe(1);
    expect(await status(worldOf([down]), { hasProblems: true })).toBe(2);

    const world = worldOf([up, viewOf('far', { kind: 'remote' })]);
    const broken = { ...world, config: { ...world.config, lastError: { at: 0, issues: [] } } };
    const instance = { ...viewOf('a'), instance: instanceOf('a', 'client-1') };
    const { value } = await exposed(
      { ...broken, instances: new Map([[instance.instance.id, instance]]) },
      {
        sessions: 4,
        eventStreams: 5,
        transport: (name) => (name === 'far' ? 'http' : 'stdio'),
        announced: { tools: 7, prompts: 0, resources: 1 },
        tally: {
          reloads: { applied: 1, unchanged: 2, rejected: 3 },
          coalesced: { tools: 9, prompts: 0, resources: 0 },
          unreadClosed: 6,
          restarts: (name) => (name === 'a' ? 8 : 0),
        },
      },
    );
    expect([value('onemcp_sessions'), value('onemcp_event_streams'), value('onemcp_unread_closed_total')]).toEqual([4, 5, 6]);
    expect(value('onemcp_backend_info', { server: 'far', transport: 'http' })).toBe(1);
    expect(value('onemcp_backend_instances', { server: 'a' })).toBe(1);
    expect(value('onemcp_backend_restarts_total', { server: 'a' })).toBe(8);
    expect(value('onemcp_list_changed_total', { kind: 'tools' })).toBe(7);
    expect(value('onemcp_list_changed_coalesced_total', { kind: 'tools' })).toBe(9);
    expect(['applied', 'unchanged', 'rejected'].map((result) => value('onemcp_reloads_total', { result }))).toEqual([1, 2, 3]);
    expect(value('onemcp_config_last_reload_successful')).toBe(0);
    expect(value('onemcp_build_info', { version: '1.2.3', node: '20.0.0' })).toBe(1);
  });

  it('can be read back whatever a server is called', async () => {
    const names = ['"', '\\', 'a\nb', '{}', 'ü,="'];
    const { lines } = await exposed(worldOf(names.map((name) => viewOf(name))));
    expect(lines.filter(({ name }) => name === 'onemcp_backend_up').map(({ labels }) => labels.server)).toEqual(names);
  });

  it('belongs to one gateway: two share nothing', async () => {
    const readers = ['a', 'b'].map((name) => createRegistry(() => samplesOf(worldOf([viewOf(name)]), NO_FACTS)));
    const [a, b] = await Promise.all(readers.map((read) => read()));
    expect([a?.text.includes('server="b"'), b?.text.includes('server="a"')]).toEqual([false, false]);
    expect(a?.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });
});
