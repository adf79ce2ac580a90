import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createReplayBudget } from '../../src/http/replayBudget.ts';
import { createSessionStreams } from '../../src/http/sessionStreams.ts';
import { createStreams } from '../../src/http/streams.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import type { JsonRpcMessage } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { eventsIn, fakeOutlet, reader } from './outletKit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Setup {
  readonly version?: string;
  readonly limits?: Partial<Limits>;
  readonly budget?: ReturnType<typeof createReplayBudget>;
}

function setup({ version = '2025-11-25', limits: changed = {}, budget = createReplayBudget(1_000_000_000) }: Setup = {}) {
  const limits = limitsWith({ 'sse.queueBytes': 200_000, ...changed });
  const streams = createStreams({ keepAlive: 15_000, queueBytes: limits['sse.queueBytes'] });
  return createSessionStreams({ limits, now: () => performance.now(), streams, budget, protocolVersion: version });
}
type Streams = ReturnType<typeof setup>;

const log = (n: unknown): JsonRpcMessage => ({ jsonrpc: '2.0', method: 'notifications/message', params: { n } });
const changed = (kind: string): JsonRpcMessage => ({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
const updated = (uri: string): JsonRpcMessage => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
const asked: JsonRpcMessage = { jsonrpc: '2.0', id: 1, method: 'roots/list' };

const listening = (streams: Streams) => {
  const client = reader();
  streams.listen(client.outlet);
  return client;
};
const resumed = (streams: Streams, id: string | undefined) => {
  const client = reader();
  return streams.resume(id ?? '', client.outlet) ? client : undefined;
};
const numbers = ({ messages }: ReturnType<typeof reader>) => messages.map(({ params, id }) => params?.n ?? params?.uri ?? id);

describe('the first event of a stream', () => {
  it(verifies('I121', 'is an id without data, and when to come back, in sessions of 2025-11-25'), () => {
    const streams = setup({ limits: { 'sse.retry': 1234 } });
    const [client, posting] = [listening(streams), reader()];
    streams.answer(posting.outlet).send('{}');
    for (const { events } of [client, posting]) {
      expect(events[0]).toEqual({ id: expect.stringMatching(/^[\w-]{16}_1$/), retry: '1234', data: '', event: undefined });
    }
    expect(posting.events[1]).toEqual({ id: expect.stringMatching(/^[\w-]{16}_2$/), event: 'message', data: '{}', retry: undefined });
  });

  it.each(['2024-11-05', '2025-03-26', '2025-06-18'])(verifies('I121', 'is a message in sessions of %s'), (version) => {
    const streams = setup({ version });
    const [client, posting] = [listening(streams), reader()];
    streams.send(log(1));
    streams.answer(posting.outlet).send('{"n":1}');
    for (const { events } of [client, posting]) expect(events.map(({ id, data }) => [id?.slice(-2), data === ''])).toEqual([['_1', false]]);
  });
});

describe('a client that comes back', () => {
  it(verifies('I120', 'gets what its stream said meanwhile, then what it says now, then its end'), () => {
    const streams = setup();
    const client = reader();
    const stream = streams.answer(client.outlet);
    stream.send('{"id":"a"}');
    client.cut();
    expect(stream.send('{"id":"b"}')).toBe(true);
    const back = resumed(streams, client.lastId);
    stream.send('{"id":"c"}');
    expect(back && numbers(back)).toEqual(['b', 'c']);
    stream.answer('{"id":"answer"}');
    stream.end();
    expect(back && [numbers(back), back.isOpen]).toEqual([['b', 'c', 'answer'], false]);
  });

  it(verifies(['I120', 'E76'], 'gets the answer although the stream is over, and may get it again'), () => {
    const streams = setup();
    const client = reader();
    const stream = streams.answer(client.outlet);
    client.cut();
    stream.answer('{"id":1}');
    stream.end();
    for (let times = 0; times < 2; times++) {
      const back = resumed(streams, client.lastId);
      expect(back && [numbers(back), back.isOpen]).toEqual([[1], false]);
    }
  });

  it('takes the place of its old connection, which nobody may have noticed is lost', () => {
    const streams = setup();
    const client = listening(streams);
    streams.send(log(1));
    client.stall();
    streams.send(log(2));
    const back = resumed(streams, client.lastId);
    streams.send(log(3));
    expect([client.isOpen, client.sink.ended, back && numbers(back)]).toEqual([false, 1, [2, 3]]);
  });

  it.each([
    ['no id', 'nonsense'],
    ['a stream that never was', 'abcdefghijklmnop_1'],
    ['number 0', '$_0'],
    ['a number not given yet', '$_99'],
    ['a number that is written otherwise', '$_01'],
    ['nothing after the underscore', '$_'],
  ])('with %s is told so', (_, id) => {
    const streams = setup();
    const stream = listening(streams).lastId?.slice(0, -2) ?? '';
    expect([resumed(streams, `${stream}_1`) !== undefined, resumed(streams, id.replace('$', stream))]).toEqual([true, undefined]);
  });

  it('is told when something between was dropped', () => {
    const streams = setup({ limits: { 'sse.replayEvents': 3 } });
    const client = listening(streams);
    for (let n = 1; n <= 5; n++) streams.send(log(n));
    const ids = client.events.map(({ id }) => id);
    expect(ids.map((id) => resumed(streams, id) !== undefined)).toEqual([false, false, true, true, true, true]);
    expect(numbers(resumed(streams, ids[2]) ?? reader())).toEqual([3, 4, 5]);
  });

  it('finds its stream for sse.replayFor after it ended, whatever the time it ran', () => {
    const streams = setup({ limits: { 'sse.replayFor': 1_000 } });
    const client = reader();
    const stream = streams.answer(client.outlet);
    client.cut();
    vi.advanceTimersByTime(60_000);
    streams.sweep();
    stream.answer('{"id":1}');
    stream.end();
    vi.advanceTimersByTime(1_000);
    expect(resumed(streams, client.lastId)).toBeDefined();
    vi.advanceTimersByTime(1_001);
    expect(resumed(streams, client.lastId)).toBeUndefined();
    streams.sweep();
    expect(streams.isEmpty).toBe(true);
  });

  it('reads slowly, and gets everything as fast as it reads', () => {
    const streams = setup();
    const client = reader();
    const stream = streams.answer(client.outlet);
    client.cut();
    for (let id = 0; id < 50; id++) stream.send(JSON.stringify({ id, fill: 'x'.repeat(10_000) }));
    const back = reader();
    const read = back.sink.write;
    back.sink.write = (text) => {
      read(text);
      back.sink.queued += text.length;
    };
    streams.resume(client.lastId ?? '', back.outlet);
    expect(back.messages.length).toBeLessThan(10);
    stream.answer('{"id":50}');
    stream.end();
    for (let times = 0; times < 20 && back.isOpen; times++) {
      back.sink.queued = 0;
      back.sink.onDrain?.();
    }
    expect([numbers(back), back.isOpen, back.sink.dropped]).toEqual([Array.from({ length: 51 }, (_, id) => id), false, 0]);
  });

  it('is sent away when what it has not read yet was dropped', () => {
    const streams = setup({ limits: { 'sse.replayEvents': 5 } });
    const client = reader();
    const stream = streams.answer(client.outlet);
    client.cut();
    for (let id = 0; id < 5; id++) stream.send(JSON.stringify({ id, fill: 'x'.repeat(70_000) }));
    const back = reader();
    back.sink.queued = 70_000;
    streams.resume(client.lastId ?? '', back.outlet);
    for (let id = 5; id < 15; id++) stream.send(JSON.stringify({ id }));
    back.sink.queued = 0;
    back.sink.onDrain?.();
    expect([numbers(back), back.isOpen]).toEqual([[], false]);
  });
});

describe('a stream whose client cannot come back', () => {
  it('refuses what it is given: no event had an id yet', () => {
    const streams = setup({ version: '2025-06-18' });
    const client = reader();
    const stream = streams.answer(client.outlet);
    client.cut();
    expect(stream.send('{}')).toBe(false);
    stream.answer('{}');
    stream.end();
    expect(streams.isEmpty).toBe(true);
  });

  it('is forgotten when it ends without an answer', () => {
    const streams = setup();
    const client = reader();
    const stream = streams.answer(client.outlet);
    stream.send('{}');
    stream.end();
    expect([client.isOpen, streams.isEmpty, resumed(streams, client.lastId)]).toEqual([false, true, undefined]);
  });
});

describe('what is kept', () => {
  const limits = { 'sse.replayBytes': 3_000 };
  const answerOf = (streams: Streams, cut: boolean) => {
    const client = reader();
    const stream = streams.answer(client.outlet);
    if (cut) client.cut();
    stream.answer('{"id":1}'.padEnd(1_500));
    stream.end();
    return client.lastId?.replace(/_\d+$/, '_1');
  };

  it('an answer nobody got is kept beyond the bound of bytes, one that was delivered is not', () => {
    const streams = setup({ limits });
    const ids = [true, false, true, false].map((cut) => answerOf(streams, cut));
    // From the end, because coming back delivers an answer.
    expect(ids.reverse().map((id) => resumed(streams, id) !== undefined)).toEqual([true, true, false, true]);
  });

  it('an answer that was written to a connection that broke is kept', () => {
    const streams = setup({ limits });
    const client = reader();
    client.sink.end = () => {};
    const stream = streams.answer(client.outlet);
    stream.answer('{"id":"kept"}'.padEnd(1_500));
    stream.end();
    client.cut();
    for (let n = 0; n < 3; n++) answerOf(streams, false);
    const back = resumed(streams, client.lastId?.replace(/_\d+$/, '_1'));
    expect(back && numbers(back)).toEqual(['kept']);
  });

  it('an answer that was got by coming back is no longer kept', () => {
    const streams = setup({ limits });
    const lost = answerOf(streams, true);
    expect(resumed(streams, lost)?.isOpen).toBe(false);
    for (let n = 0; n < 3; n++) answerOf(streams, false);
    expect(resumed(streams, lost)).toBeUndefined();
  });
});

describe('what belongs to no request', () => {
  it('waits for a stream if it is worth it, once each; a request does not', () => {
    const streams = setup();
    const results = [changed('tools'), updated('a:1'), log(1), changed('tools'), updated('b:2'), updated('a:1'), asked].map(streams.send);
    expect(results).toEqual([true, true, false, true, true, true, false]);
    const client = listening(streams);
    expect(client.messages.map(({ method, params }) => [method, params?.uri])).toEqual([
      ['notifications/tools/list_changed', undefined],
      ['notifications/resources/updated', 'a:1'],
      ['notifications/resources/updated', 'b:2'],
    ]);
    expect([streams.send(asked), streams.send(log(2)), numbers(listening(streams))]).toEqual([true, true, []]);
  });

  it('waits for one that was lost and is resumed, too', () => {
    const streams = setup();
    const client = listening(streams);
    client.cut();
    streams.send(changed('prompts'));
    expect(resumed(streams, client.lastId)?.messages.map(({ method }) => method)).toEqual(['notifications/prompts/list_changed']);
  });

  it('waits within a bound, which list_changed is beyond', () => {
    const streams = setup({ limits: { 'session.maxSubscriptions': 2 } });
    expect([updated('a:1'), updated('b:2'), updated('c:3'), updated('a:1'), changed('tools')].map(streams.send)).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    expect(listening(streams).messages).toHaveLength(3);
  });

  it(verifies('I122', 'goes to exactly one of two streams, the newest that is open'), () => {
    const streams = setup();
    const [first, second] = [listening(streams), listening(streams)];
    streams.send(log(1));
    second.cut();
    streams.send(log(2));
    expect([numbers(first), numbers(second), first.isOpen]).toEqual([[2], [1], true]);
    expect(numbers(resumed(streams, second.lastId?.replace(/_\d+$/, '_1')) ?? reader())).toEqual([1]);
  });

  it('of streams that nobody came back for only some are remembered', () => {
    const streams = setup();
    const ids = Array.from({ length: 20 }, () => {
      const client = listening(streams);
      client.cut();
      return client.lastId;
    });
    listening(streams);
    expect(ids.map((id) => resumed(streams, id) !== undefined).filter(Boolean).length).toBeLessThanOrEqual(8);
    expect(resumed(streams, ids.at(-1))).toBeDefined();
  });
});

describe('a connection that is too old', () => {
  const limits = { 'sse.maxConnection': 1_000 };

  it('is closed; the stream lives on, and the client comes back for the rest', () => {
    const streams = setup({ limits });
    const [client, posting] = [listening(streams), reader()];
    const stream = streams.answer(posting.outlet);
    vi.advanceTimersByTime(999);
    expect([client.isOpen, posting.isOpen]).toEqual([true, true]);
    vi.advanceTimersByTime(1);
    expect([client.isOpen, posting.isOpen]).toEqual([false, false]);
    expect([streams.send(asked), stream.send('{"id":"p"}')]).toEqual([true, true]);
    stream.answer('{"id":"answer"}');
    stream.end();
    expect([client, posting].map(({ lastId }) => numbers(resumed(streams, lastId) ?? reader()))).toEqual([[1], ['p', 'answer']]);
  });

  it('a client that opens a new stream instead gets the same', () => {
    const streams = setup({ limits });
    const old = listening(streams);
    vi.advanceTimersByTime(1_000);
    streams.send(log('missed'));
    expect(numbers(listening(streams))).toEqual(['missed']);
    expect(resumed(streams, old.lastId)).toBeUndefined();
  });

  it('is left alone if the client has no id to come back with, or 0 says never', () => {
    const [older, never] = [setup({ limits, version: '2025-06-18' }), setup({ limits: { 'sse.maxConnection': 0 } })];
    const clients = [listening(older), listening(never)];
    older.send(log(1));
    vi.advanceTimersByTime(3_600_000);
    expect(clients.map(({ isOpen }) => isOpen)).toEqual([true, true]);
  });

  it('costs no timer once it is over', () => {
    const streams = setup({ limits });
    const client = listening(streams);
    client.cut();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('when all sessions together keep too much', () => {
  const answered = (streams: Streams, text: string, { cut }: { cut: boolean }) => {
    const client = reader();
    const stream = streams.answer(client.outlet);
    if (cut) client.cut();
    stream.answer(JSON.stringify({ id: text }));
    stream.end();
    return client;
  };

  it('the oldest answers for clients that have gone are forgotten, and the others are not', () => {
    const budget = createReplayBudget(2_000);
    const sessions = [1, 2, 3].map(() => setup({ budget }));
    const clients = sessions.map((streams) => answered(streams, 'x'.repeat(600), { cut: true }));
    expect(sessions.map((streams, n) => resumed(streams, clients[n]?.lastId) !== undefined)).toEqual([false, true, true]);
    expect(sessions.map(({ isEmpty }) => isEmpty)).toEqual([true, false, false]);
  });

  it('the streams of clients that are there, or have come back, are forgotten last', () => {
    const budget = createReplayBudget(3_000);
    const streams = setup({ budget });
    const clients = [reader(), reader(), reader()];
    const answers = clients.map(({ outlet }) => streams.answer(outlet));
    for (const { send } of answers) send(JSON.stringify({ id: 'x'.repeat(600) }));
    const ids = clients.map(({ events }) => events[0]?.id);
    for (const client of [clients[1], clients[2]]) client?.cut();
    const back = resumed(streams, clients[1]?.lastId);
    answered(setup({ budget }), 'x'.repeat(600), { cut: true });
    expect(back?.isOpen).toBe(true);
    expect(ids.map((id) => resumed(streams, id) !== undefined)).toEqual([true, true, false]);
  });

  it('an answer that is larger than all room is kept for nobody, but delivered to who is there', () => {
    const budget = createReplayBudget(100);
    const streams = setup({ budget });
    const gone = answered(streams, 'gone', { cut: true });
    expect([resumed(streams, gone.lastId), streams.isEmpty, budget.bytes]).toEqual([undefined, true, 0]);
    expect(numbers(answered(streams, 'here', { cut: false }))).toEqual(['here']);
  });

  it('a call that runs goes on: who has missed something is told, and who has not gets the answer', () => {
    const budget = createReplayBudget(1_000);
    const streams = setup({ budget });
    const posting = [reader(), reader()];
    const [a, b] = posting.map(({ outlet }) => streams.answer(outlet)) as [ReturnType<Streams['answer']>, ReturnType<Streams['answer']>];
    a.send('{"id":"a1"}');
    b.send('{"id":"b1"}');
    const [beforeA, beforeB] = [posting[0]?.events[0]?.id, posting[1]?.lastId];
    for (const client of posting) client.cut();
    // Both have gone, and this is more than there is room for.
    answered(streams, 'x'.repeat(700), { cut: true });
    expect(resumed(streams, beforeA)).toBeUndefined();
    b.answer('{"id":"answer"}');
    expect(numbers(resumed(streams, beforeB) ?? reader())).toEqual(['answer']);
  });

  it('an event larger than the queue waits in the store while its client has something to read, and comes when it has read that', () => {
    const streams = setup({ limits: { 'sse.queueBytes': 100_000 } });
    const { outlet, sink, written } = fakeOutlet();
    const stream = streams.answer(outlet);
    const [first, second, answer] = ['a', 'b', 'c'].map((name) => JSON.stringify({ id: name.repeat(150_000) })) as [string, string, string];
    stream.send(first);
    stream.send(second);
    stream.answer(answer);
    stream.end();
    expect(eventsIn(written.join('')).map(({ data }) => data)).toEqual(['', first]);
    expect([sink.dropped, sink.ended]).toEqual([0, 0]);
    for (let n = 0; n < 2; n++) {
      sink.queued = 0;
      sink.onDrain?.();
    }
    expect(eventsIn(written.join('')).map(({ data }) => data)).toEqual(['', first, second, answer]);
    expect([sink.dropped, sink.ended]).toEqual([0, 1]);
  });

  it('who reads slowly is cut off when what it was to read is forgotten, and told so when it comes back', () => {
    const budget = createReplayBudget(200_000);
    const streams = setup({ budget, limits: { 'sse.queueBytes': 1_000 } });
    const client = reader();
    const stream = streams.answer(client.outlet);
    client.cut();
    for (let n = 0; n < 5; n++) stream.send(JSON.stringify({ id: 'x'.repeat(2_000) }));
    const { outlet, sink, written } = fakeOutlet();
    expect([streams.resume(client.lastId as string, outlet), written.length]).toEqual([true, 1]);
    // It has not taken the first event yet when another client needs the room.
    answered(streams, 'x'.repeat(195_000), { cut: false });
    sink.queued = 0;
    sink.onDrain?.();
    expect([written.length, sink.ended, resumed(streams, eventsIn(written.join(''))[0]?.id)]).toEqual([1, 1, undefined]);
  });
});

it('when a session ends, so do its streams, and nothing is left', () => {
  const budget = createReplayBudget(1_000_000);
  const streams = setup({ budget });
  const [client, posting] = [listening(streams), reader()];
  const stream = streams.answer(posting.outlet);
  streams.send(log(1));
  stream.send('{}');
  expect(budget.bytes).toBeGreaterThan(0);
  streams.close();
  expect(budget.bytes).toBe(0);
  expect([client.isOpen, posting.isOpen, streams.send(asked), stream.send('{}')]).toEqual([false, false, false, false]);
  expect([resumed(streams, client.lastId), vi.getTimerCount()]).toEqual([undefined, 0]);
});

/** What may happen to the streams of two sessions. */
const happenings = fc.array(
  fc.record({
    session: fc.nat(1),
    /** 0 listens, the others answer. */
    stream: fc.nat(3),
    what: fc.constantFrom('say', 'say', 'say', 'cut', 'stall', 'resume', 'resume', 'end'),
  }),
  { maxLength: 120 },
);

/** A client of one stream: what it got on all its connections, and what it should have got. */
function follower(streams: Streams, open: (client: ReturnType<typeof reader>) => void) {
  let client = reader();
  const past: ReturnType<typeof reader>[] = [];
  const clients = () => [...past, client];
  open(client);
  return {
    said: [] as number[],
    current: () => client,
    get got() {
      return clients().flatMap(numbers);
    },
    get ids() {
      return clients().flatMap(({ events }) => events.map(({ id }) => id as string));
    },
    get lastId() {
      return clients().findLast(({ lastId }) => lastId)?.lastId;
    },
    resume() {
      const next = reader();
      expect(streams.resume(this.lastId as string, next.outlet)).toBe(true);
      past.push(client);
      client = next;
    },
  };
}

it(verifies('I120', 'however connections break, no event is lost or given twice, and no session sees what is another’s'), () => {
  fc.assert(
    fc.property(happenings, (acts) => {
      let counter = 0;
      const sides = [0, 1].map(() => {
        const streams = setup();
        const answering = [1, 2, 3].map(() => {
          let stream: ReturnType<Streams['answer']> | undefined;
          const followed = follower(streams, ({ outlet }) => {
            stream = streams.answer(outlet);
          });
          return { followed, stream: stream as ReturnType<Streams['answer']>, over: false };
        });
        return { streams, listener: follower(streams, ({ outlet }) => streams.listen(outlet)), answering };
      });

      for (const { session, stream: index, what } of acts) {
        const { streams, listener, answering } = sides[session] as (typeof sides)[number];
        const post = answering[index - 1];
        const followed = post?.followed ?? listener;
        if (what === 'say') {
          const n = ++counter;
          if (post && !post.over && post.stream.send(JSON.stringify({ id: n }))) followed.said.push(n);
          if (!post && streams.send(log(n))) followed.said.push(n);
        } else if (what === 'end' && post && !post.over) {
          post.over = true;
          followed.said.push(++counter);
          post.stream.answer(JSON.stringify({ id: counter }));
          post.stream.end();
        } else if (what === 'cut') followed.current().cut();
        else if (what === 'stall') followed.current().stall();
        else if (what === 'resume') followed.resume();
      }

      const everybody = sides.map(({ listener, answering }) => [listener, ...answering.map(({ followed }) => followed)]);
      for (const follower of everybody.flat()) {
        follower.resume();
        expect(follower.got).toEqual(follower.said);
      }
      const ids = everybody.flat().flatMap((follower) => follower.ids);
      expect(new Set(ids).size).toBe(ids.length);
      for (const [index, { streams }] of sides.entries()) {
        for (const { ids: foreign } of everybody[1 - index] ?? []) {
          for (const id of foreign) expect(streams.resume(id, reader().outlet)).toBe(false);
        }
      }
    }),
    { numRuns: 200 },
  );
});
