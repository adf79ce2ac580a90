import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Cancellation } from '../../src/mcp/cancel.ts';
import { Lane, type LaneLimits } from '../../src/mcp/lane.ts';
import { verifies } from '../support/verifies.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const LIMITS: LaneLimits = { name: 'a', maxConcurrency: 2, maxQueue: 3, queueTimeout: 5_000 };

/** A lane, and requests on it that say in which order they got a place. */
function createTrack(limits: LaneLimits = LIMITS) {
  const lane = new Lane(() => performance.now());
  const entered: string[] = [];
  const ended: string[] = [];
  const clients = new Map<string, object>();
  /** A request `A1` is of the client `A`. */
  const request = (name: string) => {
    const client = clients.get(name.charAt(0)) ?? {};
    clients.set(name.charAt(0), client);
    const signal = new Cancellation();
    if (lane.tryEnter(limits.maxConcurrency)) {
      entered.push(name);
      return signal;
    }
    const waiting = lane.admit(limits);
    void lane.turn(waiting, client, { signal, ms: limits.queueTimeout }).then((outcome) => {
      if (outcome === 'entered') entered.push(name);
      else ended.push(`${name} ${outcome}`);
      lane.dismiss(waiting);
    });
    return signal;
  };
  return { lane, entered, ended, request };
}
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('a lane', () => {
  it(verifies('fair-queue', 'lets so many in as it has places, and the next one as soon as one leaves'), async () => {
    const { lane, entered, request } = createTrack();
    for (const name of ['A1', 'A2', 'A3', 'A4']) request(name);
    await settle();
    expect([entered, lane.inFlight]).toEqual([['A1', 'A2'], 2]);
    lane.leave();
    await settle();
    expect([entered, lane.inFlight]).toEqual([['A1', 'A2', 'A3'], 2]);
    for (let n = 0; n < 3; n++) lane.leave();
    await settle();
    expect([entered, lane.inFlight, lane.isEmpty]).toEqual([['A1', 'A2', 'A3', 'A4'], 0, true]);
  });

  it(verifies('fair-queue', 'makes the first request of a client wait for one of another with 1,000, and takes turns then'), async () => {
    const { lane, entered, request } = createTrack({ ...LIMITS, maxConcurrency: 1, maxQueue: 2_000 });
    for (let n = 0; n <= 1_000; n++) request(`A${n}`);
    for (const name of ['B1', 'B2', 'C1']) request(name);
    for (let n = 0; n < 6; n++) lane.leave();
    await settle();
    expect(entered).toEqual(['A0', 'A1', 'B1', 'C1', 'A2', 'B2', 'A3']);
  });

  it(verifies('fair-queue', 'is full: it says what is in flight, what waits, by which limit, and when to come again'), async () => {
    const { lane, request } = createTrack();
    for (const name of ['A1', 'A2', 'A3', 'A4', 'A5']) request(name);
    expect(() => request('B1')).toThrow(
      expect.objectContaining({
        code: 'busy',
        httpStatus: 429,
        message:
          'Server "a" is busy: its queue is full, with 2 requests in flight (maxConcurrency 2) and 3 waiting (maxQueue 3). Nothing was sent to it.',
        data: { server: 'a', reason: 'queue-full', retryable: true, retryAfterMs: 3_000, sent: false },
      }),
    );
    for (let n = 0; n < 5; n++) lane.leave();
    await settle();
    expect(lane.isEmpty).toBe(true);
  });

  it('says when to come again from how fast it was, and that it has become slow', async () => {
    const { lane, request } = createTrack({ ...LIMITS, maxConcurrency: 1, maxQueue: 40, queueTimeout: 600_000 });
    const advice = () => lane.busy(LIMITS, 'queue-full').data?.retryAfterMs;
    for (let n = 0; n < 41; n++) request(`A${n}`);
    for (let n = 0; n < 30; n++) {
      await vi.advanceTimersByTimeAsync(20);
      lane.leave();
    }
    await settle();
    // Ten wait, each takes 20 ms.
    expect(advice()).toBe(200);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(advice()).toBe(15_000);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(advice()).toBe(30_000);
  });

  it('forgets at once who is cancelled, and after queueTimeout who had no turn', async () => {
    const { lane, entered, ended, request } = createTrack();
    for (const name of ['A1', 'A2']) request(name);
    const third = request('A3');
    request('B1');
    third.abort('no longer wanted');
    await settle();
    expect([ended, lane.status()?.queued]).toEqual([['A3 cancelled'], 1]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([ended, lane.status(), vi.getTimerCount()]).toEqual([['A3 cancelled', 'B1 late'], undefined, 0]);
    lane.leave();
    lane.leave();
    await settle();
    expect([entered, lane.isEmpty]).toEqual([['A1', 'A2'], true]);
  });

  it('lets nobody wait with queueTimeout 0, nor who is cancelled already', async () => {
    const { ended, request } = createTrack({ ...LIMITS, queueTimeout: 0 });
    for (const name of ['A1', 'A2', 'A3']) request(name);
    await settle();
    expect(ended).toEqual(['A3 late']);
    const lane = new Lane(() => 0);
    const signal = new Cancellation();
    signal.abort('early');
    expect(await lane.turn(lane.admit(LIMITS), {}, { signal, ms: 1 })).toBe('cancelled');
  });

  it('shows how many wait, and for how long the oldest has', async () => {
    const { lane, request } = createTrack();
    for (const name of ['A1', 'A2']) request(name);
    expect(lane.status()).toBeUndefined();
    request('A3');
    await vi.advanceTimersByTimeAsync(300);
    request('B1');
    await vi.advanceTimersByTimeAsync(200);
    expect(lane.status()).toEqual({ queued: 2, queueAgeMs: 500 });
    lane.leave();
    expect(lane.status()).toEqual({ queued: 1, queueAgeMs: 200 });
  });

  it('with another limit keeps to that: more are let in with the next request, fewer as they leave', async () => {
    const track = createTrack();
    const { lane, entered } = track;
    for (const name of ['A1', 'A2', 'A3']) track.request(name);
    expect(lane.tryEnter(4)).toBe(false);
    const waiting = lane.admit({ ...LIMITS, maxConcurrency: 4 });
    const turn = lane.turn(waiting, {}, { signal: new Cancellation(), ms: 1_000 });
    await settle();
    expect([entered, await turn, lane.inFlight]).toEqual([['A1', 'A2', 'A3'], 'entered', 4]);
    expect(lane.tryEnter(1)).toBe(false);
    for (let n = 0; n < 3; n++) lane.leave();
    expect([lane.inFlight, lane.tryEnter(1)]).toEqual([1, false]);
    lane.leave();
    expect(lane.tryEnter(1)).toBe(true);
  });

  it('keeps who gives back a place that is of no use, without counting it twice', async () => {
    const { lane, entered, request } = createTrack({ ...LIMITS, maxConcurrency: 1, maxQueue: 2 });
    request('A1');
    const waiting = lane.admit({ ...LIMITS, maxConcurrency: 1, maxQueue: 2 });
    const turn = lane.turn(waiting, {}, { signal: new Cancellation(), ms: 1_000 });
    request('B1');
    lane.leave();
    expect([await turn, lane.inFlight, lane.status()?.queued]).toEqual(['entered', 1, 1]);
    lane.stepBack(waiting);
    await settle();
    expect([entered, lane.inFlight, lane.status()?.queued]).toEqual([['A1', 'B1'], 1, 1]);
  });
});

type Step =
  | { readonly do: 'arrive'; readonly client: number }
  | { readonly do: 'leave' | 'cancel'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('arrive' as const), client: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
);

interface Request {
  readonly client: number;
  readonly signal: Cancellation;
  outcomes: string[];
  /** Turns of each other client since this one was the first of its own. */
  overtaken: Map<number, number> | undefined;
}

it(
  verifies('fair-queue', 'whatever comes, goes, is cancelled or is late: never too many, nobody lost, nobody served twice, all in turn'),
  async () => {
    const run = async (places: number, maxQueue: number, steps: readonly Step[]) => {
      const lane = new Lane(() => performance.now());
      const limits: LaneLimits = { name: 'a', maxConcurrency: places, maxQueue, queueTimeout: 50 };
      const clients = [{}, {}, {}, {}];
      const line: Request[] = [];
      const inside: Request[] = [];
      /** What an outcome violates; outcomes come when nobody could catch an exception. */
      const flaws: string[] = [];
      const firstOf = (client: number) => line.find((other) => other.client === client);
      const lookAtFirsts = () => {
        for (const client of clients.keys()) {
          const first = firstOf(client);
          if (first) first.overtaken ??= new Map();
        }
      };

      const onOutcome = (request: Request, outcome: string) => {
        if (request.outcomes.push(outcome) > 1) flaws.push('two outcomes');
        if (outcome === 'entered') {
          // FIFO within a client, and no other client twice before the first of another.
          if (firstOf(request.client) !== request) flaws.push('not the first of its client');
          for (const other of line) {
            if (other.client === request.client || !other.overtaken) continue;
            const turns = (other.overtaken.get(request.client) ?? 0) + 1;
            if (turns > 1) flaws.push('a second turn before the first of another client');
            other.overtaken.set(request.client, turns);
          }
          inside.push(request);
        }
        line.splice(line.indexOf(request), 1);
        lookAtFirsts();
      };
      const arrive = (client: number) => {
        const request: Request = { client, signal: new Cancellation(), outcomes: [], overtaken: undefined };
        if (lane.tryEnter(places)) return void inside.push(request);
        const full = line.length >= maxQueue;
        if (full) return void expect(() => lane.admit(limits)).toThrow(expect.objectContaining({ code: 'busy' }));
        const waiting = lane.admit(limits);
        line.push(request);
        lookAtFirsts();
        void lane.turn(waiting, clients[client] as object, { signal: request.signal, ms: limits.queueTimeout }).then((outcome) => {
          lane.dismiss(waiting);
          onOutcome(request, outcome);
        });
      };

      for (const next of steps) {
        if (next.do === 'arrive') arrive(next.client);
        else if (next.do === 'pass') await vi.advanceTimersByTimeAsync(next.ms);
        else if (next.do === 'cancel') line[next.which % Math.max(1, line.length)]?.signal.abort('cancelled');
        else if (inside.length > 0) {
          inside.splice(next.which % inside.length, 1);
          lane.leave();
        }
        await settle();
        expect(lane.inFlight).toBe(inside.length);
        expect(lane.inFlight).toBeLessThanOrEqual(places);
        expect(lane.status()?.queued ?? 0).toBe(line.length);
        // Nobody waits while there is a place.
        if (line.length > 0) expect(lane.inFlight).toBe(places);
        expect(flaws).toEqual([]);
      }
      // In the end everybody comes to something.
      while (inside.length > 0) {
        inside.pop();
        lane.leave();
        await settle();
      }
      expect([flaws, line, lane.isEmpty, vi.getTimerCount()]).toEqual([[], [], true, 0]);
    };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.nat(6), fc.array(step, { maxLength: 60 }), (places, maxQueue, steps) =>
        run(places, maxQueue, steps),
      ),
      { numRuns: 300 },
    );
  },
);
