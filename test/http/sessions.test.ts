import { expect, it, vi } from 'vitest';
import { createSessions } from '../../src/http/sessions.ts';
import type { EventStream } from '../../src/http/sse.ts';
import { limitsWith } from '../../src/limits.ts';
import type { Session } from '../../src/mcp/session.ts';
import type { JsonRpcMessage } from '../../src/world.ts';

const MINUTE = 60_000;

function setup() {
  let clock = 0;
  const sessions = createSessions(limitsWith(), () => clock);
  const open = () => {
    const state = { lastUsed: clock, inFlight: 0 };
    let send: (message: JsonRpcMessage) => void = () => {};
    const session = {
      protocolVersion: '2025-11-25',
      createdAt: clock,
      get lastUsed() {
        return state.lastUsed;
      },
      get inFlight() {
        return state.inFlight;
      },
      close: vi.fn(),
      announce: vi.fn(),
    } as unknown as Session;
    const { id } = sessions.add((given) => {
      send = given;
      return { session, opening: {} };
    });
    const touch = () => {
      state.lastUsed = clock;
      return sessions.get(id);
    };
    return { id, session, state, touch, send: (message: JsonRpcMessage) => send(message) };
  };
  const pass = (ms: number) => {
    clock += ms;
  };
  return { sessions, open, pass };
}

const fakeStream = () => {
  const sent: string[] = [];
  return { sent, send: (text: string) => void sent.push(text), keepAlive: () => {}, end: vi.fn() } satisfies EventStream & {
    sent: string[];
  };
};

it('ids are 32 random bytes, and never the same', () => {
  const { open } = setup();
  const ids = Array.from({ length: 1000 }, () => open().id);
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[\w-]{43}$/);
});

it('an idle session ends after half an hour; one that is used does not', () => {
  const { sessions, open, pass } = setup();
  const idle = open();
  const used = open();
  pass(20 * MINUTE);
  used.touch();
  pass(11 * MINUTE);
  sessions.sweep();
  expect([sessions.get(idle.id), sessions.get(used.id)?.id]).toEqual([undefined, used.id]);
  expect(idle.session.close).toHaveBeenCalled();
});

it('a sweep never ends a session with a request in flight or an open stream', () => {
  const { sessions, open, pass } = setup();
  const [busy, listening, idle] = [open(), open(), open()];
  busy.state.inFlight = 1;
  const entry = sessions.get(listening.id);
  if (entry) sessions.attach(entry, fakeStream());
  pass(31 * MINUTE);
  sessions.sweep();
  expect(sessions.size).toBe(2);
  expect([busy.id, listening.id, idle.id].map((id) => sessions.get(id) !== undefined)).toEqual([true, true, false]);
});

it('no session lives longer than a day, but its last call is answered', () => {
  const { sessions, open, pass } = setup();
  const old = open();
  for (let hour = 0; hour < 24; hour++) {
    pass(60 * MINUTE);
    expect(old.touch()?.id).toBe(old.id);
  }
  old.state.inFlight = 1;
  pass(1);
  expect(old.touch()?.id).toBe(old.id);
  old.state.inFlight = 0;
  expect(old.touch()).toBeUndefined();
  expect(sessions.size).toBe(0);
});

it('a sweep looks at the expired ones only', () => {
  const { sessions, open, pass } = setup();
  const all = Array.from({ length: 10_000 }, open);
  pass(31 * MINUTE);
  const touched = all.slice(0, 5_000);
  for (const each of touched) each.touch();
  sessions.sweep();
  expect(sessions.size).toBe(5_000);
});

it('what no stream takes yet waits for one, once a method; the newest stream gets what comes later', () => {
  const { sessions, open } = setup();
  const session = open();
  const note = (kind: string): JsonRpcMessage => ({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
  for (const kind of ['tools', 'tools', 'prompts', 'tools']) session.send(note(kind));
  const [first, second] = [fakeStream(), fakeStream()];
  const entry = sessions.get(session.id);
  if (!entry) throw new Error('it is there');
  sessions.attach(entry, first);
  expect(first.sent.map((text) => JSON.parse(text).method)).toEqual([
    'notifications/tools/list_changed',
    'notifications/prompts/list_changed',
  ]);
  sessions.attach(entry, second);
  session.send(note('resources'));
  expect([first.sent.length, second.sent.length]).toEqual([2, 1]);
});

it('all end together', () => {
  const { sessions, open } = setup();
  const all = [open(), open()];
  sessions.closeAll();
  expect(sessions.size).toBe(0);
  for (const { session } of all) expect(session.close).toHaveBeenCalledTimes(1);
});
