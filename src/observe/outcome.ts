import type { BackendView, Operation } from '../world.ts';
import { span } from './text.ts';

export interface Outcome {
  readonly ok: boolean;
  /** One line for people. */
  readonly message: string;
}

export interface Asked {
  readonly operation: Operation;
  /** The backend just before. */
  readonly before: BackendView;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What has become of an operation, by what the World shows of the backend; undefined while it is under way. Pure. */
export function outcomeOf(asked: Asked, view: BackendView | undefined): Outcome | undefined {
  const { name, op } = asked.operation;
  if (!view) return op === 'stop' ? good(`"${name}" is stopped`) : bad(`"${name}" is no longer configured`);
  return OUTCOMES[op](view, asked);
}

const good = (message: string): Outcome => ({ ok: true, message });
const bad = (message: string): Outcome => ({ ok: false, message });

type Judge = (view: BackendView, asked: Asked) => Outcome | undefined;

const OUTCOMES: Readonly<Record<Operation['op'], Judge>> = {
  start: (view, asked) => {
    const { before } = asked;
    if (view.session) return good(before.session === view.session ? `"${view.name}" was connected already` : connected(view));
    return waiting(view) ?? failed(view, asked);
  },
  restart: (view, asked) => {
    if (view.session && view.session !== asked.before.session) return good(`restarted: ${connected(view)}`);
    return waiting(view) ?? failed(view, asked) ?? successorFailed(view, asked.before);
  },
  stop: ({ state, name }) => (state === 'stopped' ? good(`"${name}" is stopped; onemcp start ${name} brings it back`) : undefined),
  drain: ({ held, name, session }, { before, now }) => {
    if (!held || held === before.held) return undefined;
    const calls = session && session.inFlight > 0 ? `; ${session.inFlight} in flight may finish` : '';
    const end =
      held.until === undefined ? `until: onemcp resume ${name}` : `for ${span(held.until - now)} at most, or until: onemcp resume ${name}`;
    return good(`new requests to "${name}" wait ${end}${calls}`);
  },
  resume: ({ held, name }, { before }) => {
    if (held) return undefined;
    return good(before.held ? `requests to "${name}" go on` : `no requests to "${name}" were held back`);
  },
};

function connected({ name, session, items }: BackendView): string {
  const pid = session?.pid === undefined ? '' : `pid ${session.pid}, `;
  return `"${name}" is connected (${pid}${items.tools.length} tool${items.tools.length === 1 ? '' : 's'})`;
}

const waiting = ({ name, waitsFor }: BackendView): Outcome | undefined =>
  waitsFor.length > 0 ? good(`"${name}" starts as soon as ${waitsFor.map((other) => `"${other}"`).join(', ')} is connected`) : undefined;

/** `error` is not looked at: what is to be replaced may come through it. */
function failed({ name, state, lastError, failures, retryAt }: BackendView, { before, now }: Asked): Outcome | undefined {
  if ((state !== 'retrying' && state !== 'failed' && state !== 'stopped') || !lastError) return undefined;
  if (lastError === before.lastError && failures === before.failures) return undefined;
  const next = retryAt === undefined ? '' : `; the next start is in ${span(retryAt - now)}`;
  return bad(`"${name}" failed: ${lastError.message}${next}; more: onemcp why ${name}`);
}

function successorFailed({ name, next }: BackendView, before: BackendView): Outcome | undefined {
  if (!next?.lastError || next.lastError === before.next?.lastError) return undefined;
  return bad(`the successor of "${name}" failed, and the old one goes on serving: ${next.lastError.message}; more: onemcp why ${name}`);
}

/** What is said of an operation that nobody waits for. */
export const underWay = ({ op, name }: Operation): Outcome => good(`"${name}" was told to ${op}`);

/** What is said when it takes too long. Requests in flight are let finish, however long they take. */
export function tooLong({ operation: { op, name }, before }: Asked, ms: number, view: BackendView | undefined): Outcome {
  const left = before.session?.inFlight ?? 0;
  const more = `more: onemcp why ${name}`;
  if (left > 0)
    return good(
      `"${name}" will ${op} when its ${left} request${left === 1 ? '' : 's'} in flight ${left === 1 ? 'is' : 'are'} done; ${more}`,
    );
  return bad(`${op} of "${name}" is not over after ${span(ms)}: it is ${view?.state ?? 'gone'}; ${more}`);
}
