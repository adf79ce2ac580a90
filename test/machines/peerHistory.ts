/** Plays a history on our end of a connection (`io/session.ts`): whatever happens in whatever order, each call settles once, and rightly. */
import { vi } from 'vitest';
import { OnemcpError, WireError } from '../../src/errors.ts';
import { openSession } from '../../src/io/session.ts';
import { Cancellation } from '../../src/mcp/cancel.ts';
import type { BackendSession, Json, JsonRpcMessage } from '../../src/world.ts';
import { fakeTransport } from '../io/fakeTransport.ts';
import { deferred } from '../support/fakeWorld.ts';

/** `which` chooses among all calls there ever were, so that late and repeated messages come by themselves. */
export type PeerStep =
  | {
      readonly do: 'call' | 'answer' | 'error' | 'nonsense' | 'fail' | 'progress' | 'abort' | 'ask' | 'reply' | 'takeBack';
      readonly which: number;
    }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'stranger' | 'anonymous' | 'reset' | 'die' | 'close' };

export const SILENCE = 1_000;
const TOTAL = 5_000;
const HUMAN = 3_000;

interface Call {
  readonly id: number;
  readonly cancellation: Cancellation;
  readonly outcomes: string[];
  /** How it must end: the first thing that ended it. Timeouts are not foreseen. */
  expected: string | undefined;
}

/** A question of the backend that a client has not answered yet. */
interface Question {
  readonly id: string;
  readonly reply: () => void;
}

/** What a history has shown to be wrong, in sentences. */
export async function playPeer(history: readonly PeerStep[]): Promise<readonly string[]> {
  vi.useFakeTimers();
  try {
    const stage = await createStage();
    for (const [at, step] of history.entries()) {
      await stage.act(step);
      const wrong = stage.wrong();
      if (wrong.length > 0) return wrong.map((what) => `after step ${at}, ${JSON.stringify(step)}: ${what}`);
    }
    return await stage.finish();
  } finally {
    vi.useRealTimers();
  }
}

async function createStage() {
  const transport = fakeTransport();
  const session: BackendSession = await openSession(transport, {
    name: 'fake',
    requestTimeout: SILENCE,
    requestTotalTimeout: TOTAL,
    humanTotalTimeout: HUMAN,
    // No flood here: what is dropped for one is not what this is about.
    floodMessages: 100_000,
    floodProgress: 100_000,
    clientInfo: { name: 'onemcp', version: '0' },
    log: () => {},
    signal: new AbortController().signal,
  });
  const calls: Call[] = [];
  const questions: Question[] = [];
  let over = false;
  let questionCount = 0;

  const upward = {
    request: () => {
      const { promise, resolve } = deferred<Json>();
      questions.push({ id: `q${questionCount}`, reply: () => resolve({ who: 'a client' }) });
      return promise;
    },
    notify: () => {},
  };
  const one = <T>(which: number, from: readonly T[]): T | undefined => from[which % from.length];
  const expect = (call: Call | undefined, outcome: string) => {
    if (call && call.outcomes.length === 0) call.expected ??= outcome;
  };
  const receive = (message: object, origin?: number) => transport.onmessage?.({ jsonrpc: '2.0', ...message } as JsonRpcMessage, origin);
  const pending = () => calls.filter(({ expected, outcomes }) => expected === undefined && outcomes.length === 0);

  const begin = (which: number) => {
    const cancellation = new Cancellation();
    const request = session.request(
      'tools/call',
      { which },
      { signal: cancellation, upward, ...(which % 2 === 0 && { onProgress: () => {} }) },
    );
    const call: Call = { id: calls.length + 2, cancellation, outcomes: [], expected: over ? 'closed' : undefined };
    calls.push(call);
    request.then(
      (result) => void call.outcomes.push(`answer ${result.n}`),
      (error) => void call.outcomes.push(outcomeOf(error)),
    );
  };

  const acts: { readonly [K in PeerStep['do']]: (which: number, call: Call | undefined) => void } = {
    call: begin,
    wait: () => {},
    answer(which, call) {
      expect(call, `answer ${which}`);
      receive({ id: call?.id ?? 99, result: { n: which } });
    },
    error(_, call) {
      expect(call, 'wire error');
      receive({ id: call?.id ?? 99, error: { code: 4711, message: 'no' } });
    },
    nonsense(which, call) {
      expect(call, 'invalid_response');
      receive({ id: call?.id ?? 99, result: [null, [], 'text', 7][which % 4] });
    },
    fail(_, call) {
      if (call) expect(call, 'message_too_large');
      transport.onfail?.(call?.id ?? 99, new OnemcpError('message_too_large', 'too large'));
    },
    progress: (which, call) => receive({ method: 'notifications/progress', params: { progressToken: call?.id ?? 'x', progress: which } }),
    abort(_, call) {
      expect(call, 'cancelled');
      call?.cancellation.abort('no longer wanted');
    },
    ask: (which, call) =>
      receive({ id: `q${++questionCount}`, method: 'elicitation/create', params: {} }, which % 3 ? call?.id : undefined),
    reply: (which) => one(which, questions)?.reply(),
    takeBack: (which) => receive({ method: 'notifications/cancelled', params: { requestId: one(which, questions)?.id ?? 'none' } }),
    stranger: () => receive({ id: '2', result: { n: 0 } }),
    anonymous() {
      const [only, ...others] = pending();
      if (only && others.length === 0) expect(only, 'wire error');
      receive({ id: null, error: { code: -32700, message: 'what?' } });
    },
    reset: () => transport.onreset?.(),
    die() {
      if (over) return;
      over = true;
      for (const call of pending()) call.expected = 'closed';
      transport.onclose?.(new OnemcpError('backend_exited', 'it died'));
    },
    close() {
      if (!over) for (const call of pending()) call.expected = 'closed';
      over = true;
      void session.close();
    },
  };

  const wrong = () => {
    const found = calls.flatMap(({ id, outcomes, expected }) => {
      if (outcomes.length > 1) return [`call ${id} settled ${outcomes.length} times: ${outcomes}`];
      if (expected !== undefined && outcomes[0] !== expected) return [`call ${id} should be "${expected}", it is "${outcomes[0]}"`];
      return [];
    });
    const unsettled = calls.filter(({ outcomes }) => outcomes.length === 0).length;
    if (session.inFlight !== unsettled) found.push(`${session.inFlight} are in flight, ${unsettled} are not settled`);
    const cancels = transport.sent.filter(({ method }) => method === 'notifications/cancelled').map(({ params }) => params?.requestId);
    if (new Set(cancels).size !== cancels.length) found.push(`a request was cancelled twice: ${cancels}`);
    for (const { id, outcomes } of calls) {
      const isCancel = outcomes[0] === 'cancelled' || outcomes[0] === 'timeout';
      if (cancels.includes(id) !== isCancel)
        found.push(`call ${id} ended with "${outcomes[0]}", the backend was told of a cancel: ${!isCancel}`);
    }
    return found;
  };

  return {
    wrong,
    async act(step: PeerStep) {
      acts[step.do]('which' in step ? step.which : 0, 'which' in step ? one(step.which >> 2, calls) : undefined);
      await vi.advanceTimersByTimeAsync(step.do === 'wait' ? step.ms : 0);
    },
    /** Time alone must end what is left, people included. */
    async finish(): Promise<string[]> {
      await vi.advanceTimersByTimeAsync(TOTAL + HUMAN + 1);
      const found = wrong();
      for (const { id, outcomes } of calls) if (outcomes.length === 0) found.push(`call ${id} never settled`);
      if (vi.getTimerCount() > 0) found.push(`${vi.getTimerCount()} timers are left`);
      return found.map((what) => `at the end: ${what}`);
    },
  };
}

const outcomeOf = (error: unknown): string => {
  if (error instanceof WireError) return 'wire error';
  const { code } = error as OnemcpError;
  return code === 'backend_exited' || code === 'shutting_down' ? 'closed' : code;
};
