import { describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { type StatusFacts, statusOf } from '../../src/observe/status.ts';
import { changeLine, statusText } from '../../src/observe/table.ts';
import { span } from '../../src/observe/text.ts';
import type { World } from '../../src/world.ts';
import { fakeSession, tool, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const facts: StatusFacts = {
  version: '1.2.3',
  pid: 42,
  url: 'http://127.0.0.1:3050',
  startedAt: NOW - 90_000,
  now: NOW,
  story: () => undefined,
};
const clock = (ms: number) => new Date(ms).toTimeString().slice(0, 8);

const show = (world: World, more: Partial<StatusFacts> = {}) => statusText(statusOf(world, { ...facts, ...more }));
/** The cells of one server. */
const row = (text: string, name: string) => (text.split('\n').find((line) => line.trim().startsWith(name)) as string).trim().split(/ {2,}/);

describe('the status', () => {
  it(verifies('status', 'has a line for each server, with what keeps it from serving'), () => {
    const error = new OnemcpError('backend_exited', 'it exited with code 1');
    const next = { generation: 1, state: 'retrying' as const, since: NOW, lastError: error, retryAt: NOW };
    const text = show(
      worldOf([
        viewOf('good', { since: NOW - 200_000, session: fakeSession({ pid: 77 }), items: { tools: [tool('x')] }, connects: 3 }),
        viewOf('waits', { state: 'idle', since: NOW, waitsFor: ['db'] }),
        viewOf('sleeps', { state: 'idle', since: NOW, asleep: true, lastError: error }),
        viewOf('down', { state: 'retrying', since: NOW, lastError: error, retryAt: NOW + 12_000 }),
        viewOf('held', { since: NOW, held: { since: NOW, until: NOW + 5_000 } }),
        viewOf('kept', { since: NOW, held: { since: NOW, until: undefined } }),
        viewOf('swaps', { since: NOW, next }),
        viewOf('old', { state: 'starting', since: NOW, remembered: NOW - 1_000 }),
      ]),
    );
    expect(row(text, 'SERVER')).toEqual(['SERVER', 'STATE', 'FOR', 'TOOLS', 'IN FLIGHT', 'RESTARTS', 'PID', 'NEXT START']);
    expect(row(text, 'good')).toEqual(['good', 'connected', '3m 20s', '1', '0', '2', '77']);
    expect(row(text, 'waits').at(-1)).toBe('waits for "db"');
    expect(row(text, 'sleeps').at(-1)).toBe('asleep');
    expect(row(text, 'down').slice(-2)).toEqual(['in 12s', 'it exited with code 1']);
    expect(row(text, 'held').at(-1)).toBe(`drained until ${clock(NOW + 5_000)}`);
    expect(row(text, 'kept').at(-1)).toBe('drained until it is resumed');
    expect(row(text, 'swaps').at(-1)).toBe('successor failed: it exited with code 1');
    expect(row(text, 'old').at(-1)).toBe(`lists remembered from ${clock(NOW - 1_000)}`);
  });

  it('shows queues and memory where they are known', () => {
    const text = show(worldOf([viewOf('a', { since: NOW })]), { queued: () => 4, memory: () => 3 * 1024 ** 2 });
    expect(row(text, 'SERVER')).toEqual(['SERVER', 'STATE', 'FOR', 'TOOLS', 'IN FLIGHT', 'QUEUED', 'RESTARTS', 'MEMORY']);
    expect(row(text, 'a')).toEqual(['a', 'connected', '0s', '0', '0', '4', '0', '3 MiB']);
  });

  it('says how the other sources of servers are', () => {
    const sources = [
      { name: 'conf.d', status: 'ok', servers: 1, notes: ['conf.d/a.json: left out'], since: NOW },
      { name: 'docker', status: 'failing', servers: 2, lastError: 'no socket', notes: [], since: NOW - 1_000 },
    ] as const;
    expect(show(worldOf([]), { sources }).split('\n').slice(2, 5)).toEqual([
      'conf.d: 1 server',
      '  conf.d/a.json: left out',
      `docker: 2 servers, failing since ${clock(NOW - 1_000)}: no socket`,
    ]);
  });

  it('says how the gateway is, and what is wrong with its file', () => {
    const world = worldOf([viewOf('a')], { disabled: ['b'] });
    const lastError = { at: NOW, issues: [{ file: 'mcp.json', line: 12, column: 5, path: 'mcpServers.a', message: 'unknown key' }] };
    const lines = show({ ...world, config: { ...world.config, revision: 3, appliedAt: NOW, lastError } }).split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'onemcp 1.2.3 running, healthy; pid 42, up 1m 30s, serves http://127.0.0.1:3050/mcp',
      `mcp.json, revision 3 applied ${clock(NOW)}, 1 disabled`,
      `the file as it is now was refused at ${clock(NOW)}:`,
      '  mcp.json:12:5 mcpServers.a: unknown key',
    ]);
  });

  it('is a stable document', () => {
    expect(statusOf(worldOf([viewOf('a', { since: NOW })]), facts)).toEqual({
      version: '1.2.3',
      pid: 42,
      url: 'http://127.0.0.1:3050',
      startedAt: '2026-01-02T03:02:35.000Z',
      timestamp: '2026-01-02T03:04:05.000Z',
      phase: 'running',
      status: 'healthy',
      configuration: { file: 'mcp.json', revision: 1, appliedAt: '1970-01-01T00:00:00.000Z', disabled: [] },
      servers: [
        {
          name: 'a',
          status: 'connected',
          since: '2026-01-02T03:04:05.000Z',
          generation: 0,
          tools: 0,
          prompts: 0,
          resources: 0,
          restarts: 0,
          failures: 0,
          inFlight: 0,
          lastConnected: '1970-01-01T00:00:00.000Z',
          changes: 0,
          recent: [],
        },
      ],
    });
  });

  it('lets no backend write to the terminal', () => {
    const evil = new OnemcpError('internal', '\u001b[2J\u202e');
    expect(show(worldOf([viewOf('a\u0007', { state: 'error', lastError: evil })]))).toContain('a\\u0007');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(show(worldOf([viewOf('a', { state: 'error', lastError: evil })]))).not.toMatch(/[\u001b\u202e]/);
  });
});

it('a change is one line', () => {
  const change = { at: '2026-01-02T03:04:05.000Z', generation: 1, to: 'error' as const, from: 'starting' as const };
  expect(changeLine('a', { ...change, error: 'no\nway' })).toBe('2026-01-02T03:04:05.000Z a: starting → error: no\\u000away');
  expect(changeLine('a', { ...change, successor: true })).toBe('2026-01-02T03:04:05.000Z a (successor): starting → error');
});

it.each([
  [-5, '0s'],
  [59_999, '59s'],
  [60_000, '1m 0s'],
  [3_660_000, '1h 1m'],
  [90_000_000, '1d 1h'],
])('%i ms are %s', (ms, text) => {
  expect(span(ms)).toBe(text);
});
