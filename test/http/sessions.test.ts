import { expect, it, vi } from 'vitest';
import { createSessions } from '../../src/http/sessions.ts';
import { createStreams } from '../../src/http/streams.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import type { Session } from '../../src/mcp/session.ts';
import type { JsonRpcMessage } from '../../src/world.ts';
import { reader } from './outletKit.ts';

const MINUTE = 60_000;

function setup(changed: Partial<Limits> = {}) {
  let clock = 0;
  const limits = limitsWith(changed);
  const streams = createStreams({ keepAlive: 15_000, queueBytes: 1_000_000 });
  const sessions = createSessions({ limits, now: () => clock, streams });
  const fakeSession = () => {
    const state = { lastUsed: clock, inFlight: 0 };
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
    return { session, state };
  };
  const open = () => {
    const { session, state } = fakeSession();
    let send: (message: JsonRpcMessage) => boolean = () => false;
    const { id } = sessions.add((given) => {
      send = given;
      return { session, opening: {} };
    });
    const touch = () => {
      state.lastUsed = clock;
      return sessions.get(id);
    };
    const listen = () => {
      const client = reader();
      sessions.get(id)?.streams().listen(client.outlet);
      return client;
    };
    return { id, session, state, touch, listen, send: (message: JsonRpcMessage) => send(message) };
  };
  /** A session of HTTP+SSE. */
  const openStream = () => {
    const { session, state } = fakeSession();
    const end = vi.fn(() => sessions.removeStream(id));
    let id = '';
    sessions.addStream((given) => {
      id = given;
      return { connection: { session, receive: () => {}, take: () => {}, close: () => {} }, end };
    });
    return { id, session, state, end };
  };
  const pass = (ms: number) => {
    clock += ms;
  };
  return { sessions, streams, open, openStream, pass };
}

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
  listening.listen();
  pass(31 * MINUTE);
  sessions.sweep();
  expect(sessions.size).toBe(2);
  expect([busy.id, listening.id, idle.id].map((id) => sessions.get(id) !== undefined)).toEqual([true, true, false]);
});

it('an idle session is over even before a sweep', () => {
  const { sessions, open, pass } = setup();
  const idle = open();
  pass(30 * MINUTE + 1);
  expect([sessions.get(idle.id), sessions.size]).toEqual([undefined, 0]);
});

it('the idle time begins anew when a stream is lost', () => {
  const { sessions, open, pass } = setup();
  const session = open();
  const client = session.listen();
  pass(60 * MINUTE);
  client.cut();
  // Twice, because the first forgets the stream.
  for (let times = 0; times < 2; times++) {
    pass(15 * MINUTE);
    sessions.sweep();
    expect(sessions.size).toBe(1);
  }
  pass(1);
  sessions.sweep();
  expect(sessions.size).toBe(0);
});

it('one that was busy for long does not keep others that are idle', () => {
  const { sessions, open, pass } = setup();
  const [busy, idle] = [open(), open()];
  pass(29 * MINUTE);
  busy.state.lastUsed = 29 * MINUTE;
  pass(2 * MINUTE);
  sessions.sweep();
  expect([sessions.get(busy.id)?.id, sessions.get(idle.id)]).toEqual([busy.id, undefined]);
});

it('a sweep ends what is a day old, open streams or not, but never with a request in flight', () => {
  const { sessions, open, openStream, pass } = setup();
  const [listening, busy, used] = [open(), open(), open()];
  const [stream, busyStream] = [openStream(), openStream()];
  const client = listening.listen();
  busy.state.inFlight = busyStream.state.inFlight = 1;
  pass(24 * 60 * MINUTE);
  used.touch();
  sessions.sweep();
  expect(sessions.size).toBe(5);
  pass(1);
  sessions.sweep();
  expect([sessions.size, client.isOpen, stream.end.mock.calls.length, busyStream.end.mock.calls.length]).toEqual([2, false, 1, 0]);
  busyStream.state.inFlight = 0;
  expect([sessions.getStream(busyStream.id), busyStream.end.mock.calls.length]).toEqual([undefined, 1]);
});

it('sessions of HTTP+SSE are never idle, count as sessions, and are told and ended like all others', () => {
  const { sessions, open, openStream, pass } = setup({ 'session.max': 2 });
  const [one, stream] = [open(), openStream()];
  expect([sessions.size, sessions.refusal('running')?.code]).toEqual([2, 'busy']);
  sessions.announce(new Set(['tools']));
  expect([one, stream].map(({ session }) => vi.mocked(session.announce).mock.calls.length)).toEqual([1, 1]);
  pass(31 * MINUTE);
  expect([sessions.refusal('running'), sessions.getStream(stream.id) !== undefined, sessions.size]).toEqual([undefined, true, 1]);
  expect(sessions.get(stream.id)).toBeUndefined();
  sessions.closeAll();
  expect([sessions.size, stream.end.mock.calls.length]).toEqual([0, 1]);
});

it('a draining gateway takes no session, however few there are', () => {
  const { sessions } = setup();
  expect((['booting', 'running', 'draining', 'stopping'] as const).map((phase) => sessions.refusal(phase)?.code)).toEqual([
    undefined,
    undefined,
    'draining',
    'draining',
  ]);
});

it('a crowd that is refused does not cause a sweep each', () => {
  const { sessions, open, pass } = setup({ 'session.max': 1 });
  const { session } = open();
  const looks = vi.spyOn(session, 'inFlight', 'get');
  pass(5_000);
  for (let n = 0; n < 100; n++) expect(sessions.refusal('running')?.code).toBe('busy');
  expect(looks).toHaveBeenCalledTimes(1);
  pass(30 * MINUTE);
  expect(sessions.refusal('running')).toBeUndefined();
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

it('what no stream takes yet waits for one; without it nothing is kept for a session', () => {
  const { sessions, open } = setup();
  const { id, send, listen } = open();
  const tools: JsonRpcMessage = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
  expect([send(tools), send({ jsonrpc: '2.0', id: 1, method: 'roots/list' })]).toEqual([true, false]);
  sessions.sweep();
  const waited = sessions.get(id)?.streams();
  expect(listen().messages).toEqual([tools]);
  expect(sessions.get(id)?.streams()).toBe(waited);
});

it('streams that are over are forgotten by a sweep', () => {
  const { sessions, open, pass } = setup({ 'sse.replayFor': 1_000 });
  const { id, listen } = open();
  listen().cut();
  const before = sessions.get(id)?.streams();
  sessions.sweep();
  expect(sessions.get(id)?.streams()).toBe(before);
  pass(1_001);
  sessions.sweep();
  expect(sessions.get(id)?.streams()).not.toBe(before);
});

it('all end together', () => {
  const { sessions, open } = setup();
  const all = [open(), open()];
  sessions.closeAll();
  expect(sessions.size).toBe(0);
  for (const { session } of all) expect(session.close).toHaveBeenCalledTimes(1);
});
