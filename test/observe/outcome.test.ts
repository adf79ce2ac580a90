import { describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { outcomeOf, tooLong, underWay } from '../../src/observe/outcome.ts';
import type { Operation } from '../../src/world.ts';
import { type FakeBackend, fakeSession, tool, viewOf } from '../support/fakeWorld.ts';

const session = fakeSession({ pid: 1 });
const fresh = fakeSession({ pid: 2 });
const old = new OnemcpError('timeout', 'old');
const error = new OnemcpError('backend_exited', 'it exited');
const next = { generation: 1, state: 'retrying' as const, since: 0, lastError: error, retryAt: 5_000 };
const held = { since: 0, until: 31_000 };

const UP: FakeBackend = { session };
const DOWN: FakeBackend = { state: 'retrying', lastError: old, failures: 1 };

/** What an operation has come to when a backend was like this, and is like that. */
type Case = [op: Operation['op'], what: string, before: FakeBackend, after: FakeBackend, outcome: RegExp | undefined, ok?: boolean];
const CASES: readonly Case[] = [
  ['start', 'it is up', DOWN, { session: fresh, items: { tools: [tool('x')] } }, /^"a" is connected \(pid 2, 1 tool\)$/],
  ['start', 'it was up', UP, UP, /connected already/],
  ['start', 'it waits', { state: 'stopped' }, { state: 'idle', waitsFor: ['db'] }, /as soon as "db" is connected/],
  ['start', 'it is on its way', DOWN, { state: 'starting', lastError: old, failures: 1 }, undefined],
  ['start', 'it is as it was', DOWN, DOWN, undefined],
  [
    'start',
    'it failed anew',
    DOWN,
    { ...DOWN, lastError: error, retryAt: 11_000 },
    /failed: it exited; the next start is in 10s; more: onemcp why a/,
    false,
  ],
  ['start', 'it failed for good', DOWN, { state: 'failed', lastError: error }, /failed: it exited; more/, false],
  ['restart', 'there is a new session', UP, { session: fresh }, /^restarted: "a" is connected \(pid 2, 0 tools\)$/],
  ['restart', 'the old one still serves', UP, UP, undefined],
  ['restart', 'the successor starts', UP, { session, next: { ...next, lastError: undefined } }, undefined],
  ['restart', 'the successor failed', UP, { session, next }, /old one goes on serving: it exited/, false],
  ['restart', 'the old one has ended', UP, { state: 'idle' }, undefined],
  ['restart', 'what was stopped is about to start', { state: 'stopped', lastError: old }, { state: 'idle', lastError: old }, undefined],
  ['restart', 'it failed', UP, { state: 'retrying', lastError: error }, /failed: it exited/, false],
  ['restart', 'it ended, which it may', UP, { state: 'stopped', lastError: error }, /failed: it exited/, false],
  ['stop', 'it finishes', UP, { state: 'stopping' }, undefined],
  ['stop', 'it is over', UP, { state: 'stopped' }, /^"a" is stopped; onemcp start a/],
  ['drain', 'it is held', UP, { session, held }, /wait for 30s at most, or until: onemcp resume a$/],
  ['drain', 'it is held without an end', UP, { session, held: { since: 0, until: undefined } }, /wait until: onemcp resume a$/],
  ['drain', 'it is not held yet', { session, held }, { session, held }, undefined],
  ['resume', 'it goes on', { session, held }, UP, /go on$/],
  ['resume', 'it was not held', UP, UP, /no requests .* were held back/],
  ['resume', 'it is still held', { session, held }, { session, held }, undefined],
];

describe('what became of an operation', () => {
  it.each<Case>(CASES)('%s: %s', (op, _, before, after, message, ok = true) => {
    const outcome = outcomeOf({ operation: { op, name: 'a' }, before: viewOf('a', before), now: 1_000 }, viewOf('a', after));
    if (message === undefined) expect(outcome).toBeUndefined();
    else expect(outcome).toEqual({ ok, message: expect.stringMatching(message) });
  });

  it('a reload may take it away meanwhile', () => {
    const asked = (op: Operation['op']) => ({ operation: { op, name: 'a' }, before: viewOf('a'), now: 0 });
    expect(outcomeOf(asked('stop'), undefined)).toMatchObject({ ok: true });
    expect(outcomeOf(asked('restart'), undefined)).toEqual({ ok: false, message: '"a" is no longer configured' });
  });

  it('tells requests in flight from a start that takes too long', async () => {
    const busy = fakeSession({ answer: () => new Promise(() => {}) });
    void busy.request('tools/call', {});
    const operation = { op: 'stop' as const, name: 'a' };
    expect(tooLong({ operation, before: viewOf('a', { session: busy }), now: 0 }, 9_000, viewOf('a', { state: 'stopping' }))).toEqual({
      ok: true,
      message: '"a" will stop when its 1 request in flight is done; more: onemcp why a',
    });
    expect(tooLong({ operation, before: viewOf('a'), now: 0 }, 9_000, viewOf('a', { state: 'starting' }))).toEqual({
      ok: false,
      message: 'stop of "a" is not over after 9s: it is starting; more: onemcp why a',
    });
    expect(underWay(operation)).toEqual({ ok: true, message: '"a" was told to stop' });
  });
});
