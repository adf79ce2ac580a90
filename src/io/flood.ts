import type { JsonRpcMessage, RequestId } from '../world.ts';
import { createAlarm } from './alarm.ts';
import type { Log } from './deps.ts';
import { type Pace, TokenBucket } from './pace.ts';

export interface FloodOptions {
  /** Name of the backend, for the log. */
  readonly name: string;
  /** Messages a second: see `flood.messages`. */
  readonly rate: number;
  readonly pace: Pace;
  readonly log: Log;
  /** Handles a message that was held back. */
  readonly deliver: (message: JsonRpcMessage, origin: RequestId | undefined) => void;
  /** Answers a request for which there is no room. */
  readonly refuse: (message: JsonRpcMessage) => void;
}

/** The budget for what a backend says unasked. */
export interface Flood {
  /** Whether a notification or a request is to be handled now; otherwise it has been seen to. */
  admit(message: JsonRpcMessage, origin: RequestId | undefined, now: number): boolean;
  /** An answer nobody waits for: whether it is worth a line in the log. */
  admitStray(now: number): boolean;
  /** Forgets what is held back for a request that the backend takes back; whether there was any. */
  forget(id: RequestId): boolean;
  /** What is held back is of no use any more. */
  clear(): void;
  /** Ends the counting. */
  end(): void;
}

interface Late {
  readonly message: JsonRpcMessage;
  readonly origin: RequestId | undefined;
}

/** Messages held back at a time: each may be as large as messages get. */
const MAX_LATE = 100;
const TURN_MS = 50;
const REPORT_MS = 60_000;
const UPDATED = 'notifications/resources/updated';

/**
 * What must not be lost whatever the budget; all of it is cheap. A list that changed is asked for at most once a second,
 * a ping is answered without asking anybody, progress is thinned out for each request. It only slows reading down.
 */
const FREE: ReadonlySet<string> = new Set([
  'ping',
  'notifications/progress',
  'notifications/cancelled',
  'notifications/elicitation/complete',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
]);

/**
 * Over budget, requests wait for their turn, of the updates of one resource the last one does, and other notifications are
 * dropped and counted. Answers are not a matter of budget.
 */
export function createFlood({ name, rate, pace, log, deliver, refuse }: FloodOptions): Flood {
  const free = new TokenBucket(rate);
  const late: Late[] = [];
  let dropped = 0;
  let held = 0;
  let reporting = false;

  const report = () => {
    dropped += pace.dropped;
    pace.dropped = 0;
    if (dropped + held === 0) {
      reporting = false;
      return;
    }
    log('warn', 'backend.flood', { backend: name, dropped, late: held, text: `more than ${rate} messages a second (flood.messages)` });
    dropped = held = 0;
    reports.set(REPORT_MS);
  };
  const reports = createAlarm(report);
  /** The first report comes soon and says that there is a flood, the others once a minute and how large it is. */
  const noteFlood = () => {
    if (reporting) return;
    reporting = true;
    reports.set(1_000);
  };

  const turns = createAlarm(() => {
    while (late.length > 0 && pace.take(performance.now())) {
      const { message, origin } = late.shift() as Late;
      deliver(message, origin);
    }
    if (late.length > 0) turns.set(TURN_MS);
  });

  const hold = (entry: Late) => {
    held++;
    if (late.push(entry) === 1) turns.set(TURN_MS);
  };

  /** An update that waits stands for every later one of its resource. */
  const isPending = (uri: unknown) => late.some(({ message }) => message.method === UPDATED && message.params?.uri === uri);

  const overBudget = (message: JsonRpcMessage, origin: RequestId | undefined) => {
    pace.exceeded = true;
    noteFlood();
    const full = late.length >= MAX_LATE;
    if (message.id !== undefined) {
      if (full) refuse(message);
      else hold({ message, origin });
    } else if (message.method === UPDATED && !isPending(message.params?.uri)) {
      if (full) dropped++;
      else hold({ message, origin });
    } else {
      dropped++;
    }
  };

  return {
    admit(message, origin, now) {
      const method = message.method as string;
      if (FREE.has(method)) {
        if (!free.take(now)) pace.exceeded = true;
        return true;
      }
      // What waits has its turn first, and so keeps its order.
      if (late.length === 0 && pace.take(now)) return true;
      overBudget(message, origin);
      return false;
    },
    admitStray: (now) => pace.take(now),
    forget(id) {
      const at = late.findIndex(({ message }) => message.id === id);
      if (at >= 0) late.splice(at, 1);
      return at >= 0;
    },
    clear() {
      late.length = 0;
      turns.off();
    },
    end() {
      late.length = 0;
      turns.off();
      report();
      reports.off();
    },
  };
}
