import { assign, sendTo, setup } from 'xstate';
import type { BackendSpec } from '../config/config.ts';
import { asOnemcpError, OnemcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import {
  type BackendInfo,
  type BackendSession,
  type BackendState,
  type BackendView,
  type Instance,
  type InstanceView,
  type Items,
  NO_ITEMS,
  type Remembered,
} from '../world.ts';
import { providedCallback, providedPromise } from './provided.ts';
import { type FailureRecord, judged, NO_FAILURES, probeDelay, restartDelay, type Verdict } from './restart.ts';

/** What time it is and what chance says; both come in, so that every run can be repeated. */
export interface Ports {
  /** Milliseconds since the epoch: for people only, since a wall clock may be set. */
  readonly now: () => number;
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Which connection to which backend. */
export interface Target {
  readonly spec: BackendSpec;
  /** Undefined: the backend's first connection, which its lists come from. */
  readonly instance?: Instance | undefined;
}

/** What a connection is known by: the id of its instance, or the name of its backend. */
export const idOf = ({ spec, instance }: Target): string => instance?.id ?? spec.name;

export interface BackendInput extends Target {
  readonly generation: number;
  readonly limits: Limits;
  readonly ports: Ports;
  /** What is known from an earlier generation. */
  readonly previous?: BackendView | undefined;
  /** What is known from an earlier run. */
  readonly remembered?: Remembered | undefined;
  /** Its failures do not count any more: somebody asked for a start, or it is another program now. */
  readonly fresh?: boolean | undefined;
  /** Starts although it is lazy. */
  readonly awake?: boolean | undefined;
  /** Its predecessor may still be there. */
  readonly beside?: boolean | undefined;
}

export interface BackendContext extends BackendInput {
  readonly since: number;
  readonly session: BackendSession | undefined;
  /** What is left of the session gets no time to end by itself. */
  readonly kill: boolean;
  readonly items: Items;
  readonly notes: readonly string[];
  readonly info: BackendInfo | undefined;
  readonly lastConnected: number | undefined;
  readonly lastError: OnemcpError | undefined;
  readonly retryDelay: number;
  readonly retryAt: number | undefined;
  readonly failures: number;
  readonly record: FailureRecord;
  readonly verdict: Verdict;
  readonly connects: number;
  readonly settled: boolean;
  /** Somebody waits for it, or it is not lazy: it stays connected. */
  readonly wanted: boolean;
  /** Why it is to be replaced. */
  readonly worn: OnemcpError | undefined;
}

export type BackendEvent =
  /** A start slot is granted. */
  | { readonly type: 'START' }
  | { readonly type: 'STOP' }
  /** A request needs it. */
  | { readonly type: 'WAKE' }
  /** Nothing has needed it for `idleTimeout`. */
  | { readonly type: 'HIBERNATE' }
  /** It is to be replaced once its calls in flight are done. */
  | { readonly type: 'RECYCLE'; readonly error: OnemcpError }
  /** Its specification changed in what restarts nothing. */
  | { readonly type: 'RETAG'; readonly spec: BackendSpec }
  /** No new requests come: it stops once those in flight are done. */
  | { readonly type: 'RETIRE' }
  /** The session is gone. `kill`: what is left of it gets no time to end by itself. */
  | { readonly type: 'CLOSED'; readonly error: OnemcpError; readonly kill?: boolean }
  /** Fresh lists; a kind that is equal keeps its identity. */
  | { readonly type: 'ITEMS'; readonly items: Items; readonly notes: readonly string[] };

/** What `open` resolves with: an initialised session and its first lists; an instance has none. */
export interface Opened {
  readonly session: BackendSession;
  readonly items: Items;
  readonly notes: readonly string[];
}

/** What `live` watches. */
export interface Connected extends Opened, Target {}

/** What `open` is asked for. */
export interface ToOpen extends Target {
  readonly generation: number;
  /** It does not wait for the end of what is left of earlier generations. */
  readonly beside: boolean;
  readonly previous: Items;
}

/** What `close` is asked for. */
export interface ToClose {
  /** See `idOf`. */
  readonly id: string;
  readonly generation: number;
  readonly beside: boolean;
  readonly session: BackendSession | undefined;
  /** It gets no time to end by itself. */
  readonly kill: boolean;
}

/** What `finish` is asked for. */
export interface ToFinish {
  readonly session: BackendSession | undefined;
}

/** The tag of states in which a backend waits for the root to grant it a start slot. */
export const WAITING = 'waiting';

const AFTER_CLOSE = [
  { guard: 'retries', target: 'retrying', actions: 'forgetSession' },
  { guard: 'ends', target: 'stopped', actions: 'forgetSession' },
  { target: 'failed', actions: 'forgetSession' },
] as const;

const AFTER_SLEEP = [
  { guard: 'isWanted', target: 'queued', actions: 'forgetSession' },
  { target: 'asleep', actions: 'forgetSession' },
] as const;

/**
 * One connection to a backend MCP server: idle → starting → connected → error → retrying → starting …; failed when it was
 * retried too often; and stopping → stopped from everywhere. Pure: it names its I/O (`open`, `live`, `finish`, `close`) and
 * somebody else provides it.
 *
 * Invariant: `context.session` is set in `connected`, and in `idle.closing`, `error` and `stopping` until `close` has
 * finished with it.
 */
export const backendMachine = setup({
  types: {
    input: {} as BackendInput,
    context: {} as BackendContext,
    events: {} as BackendEvent,
    tags: {} as typeof WAITING,
  },
  actors: {
    open: providedPromise<Opened, ToOpen>('open'),
    live: providedCallback<BackendEvent, Connected>('live'),
    /** Resolves when no request is in flight. */
    finish: providedPromise<void, ToFinish>('finish'),
    close: providedPromise<void, ToClose>('close'),
  },
  actions: {
    entered: assign({ since: ({ context }) => context.ports.now() }),
    fail: assign(({ context }, { error, connected }: { error: unknown; connected: boolean }) => {
      const { spec, limits, ports } = context;
      const named = namedError(spec.name, error);
      const [record, verdict] = judged(context.record, { error: named, connected, now: ports.monotonic() }, spec.restart, limits);
      return { lastError: named, failures: context.failures + 1, record, verdict, settled: true };
    }),
    schedule: assign(({ context }) => {
      const { limits, failures, record, verdict, ports, lastError } = context;
      if (verdict === 'give-up') return { retryAt: undefined };
      const delay =
        verdict === 'probe'
          ? probeDelay(record.probes, ports.random(), { initial: limits['probe.initial'], max: limits['probe.max'] })
          : restartDelay(failures, ports.random(), { initial: limits['restart.initial'], max: limits['restart.max'] });
      // A server may ask for more time (Retry-After).
      const retryDelay = Math.max(delay, lastError?.data?.retryAfterMs ?? 0);
      return { retryDelay, retryAt: ports.now() + retryDelay };
    }),
    unschedule: assign({ retryAt: undefined }),
    connect: assign(({ context }, opened: Opened) => ({
      ...opened,
      info: opened.session.info,
      lastConnected: context.ports.now(),
      connects: context.connects + 1,
      settled: true,
      worn: undefined,
      remembered: undefined,
    })),
    forgetSession: assign({ session: undefined }),
    forgive: assign({ failures: 0, record: NO_FAILURES }),
    want: assign({ wanted: true }),
    rest: assign(({ context }) => ({ wanted: false, settled: context.settled || context.info !== undefined })),
    retag: assign((_, { spec }: { spec: BackendSpec }) => ({ spec })),
    /** Options may change what is watched. */
    tellLive: sendTo('live', (_, { spec }: { spec: BackendSpec }) => ({ type: 'RETAG' as const, spec })),
    wear: assign((_, { error }: { error: OnemcpError }) => ({ worn: error })),
  },
  guards: {
    isWanted: ({ context }) => context.wanted,
    /** A lazy one whose lists nobody knows is started for them. */
    maySleep: ({ context }) => !context.wanted && context.info !== undefined,
    retries: ({ context }) => context.verdict === 'retry',
    ends: ({ context }) => context.verdict === 'end',
    givesUp: ({ context }) => context.verdict === 'give-up',
    /** It was started only for its lists. */
    isOnlyListed: ({ context }) => !context.wanted && context.connects === 0,
  },
  delays: {
    startTimeout: ({ context }) => startTime(context),
    retryDelay: ({ context }) => context.retryDelay,
    resetAfter: ({ context }) => context.limits['restart.resetAfter'],
    /** No request lives longer. */
    finishTimeout: ({ context }) => context.spec.requestTotalTimeout,
  },
}).createMachine({
  id: 'backend',
  context: ({ input }) => initialContext(input),
  initial: 'idle',
  on: {
    WAKE: { actions: 'want' },
    RETAG: { actions: { type: 'retag', params: ({ event }) => event } },
  },
  states: {
    idle: {
      entry: 'entered',
      initial: 'queued',
      states: {
        queued: { tags: WAITING, always: { guard: 'maySleep', target: 'asleep' }, on: { START: '#backend.starting' } },
        asleep: { entry: 'rest', on: { WAKE: { target: 'queued', actions: 'want' } } },
        closing: {
          entry: 'rest',
          invoke: {
            src: 'close',
            input: ({ context }) => toClose(context),
            onDone: AFTER_SLEEP,
            onError: AFTER_SLEEP,
          },
        },
      },
      on: { STOP: 'stopping', RETIRE: 'stopping' },
    },
    starting: {
      entry: 'entered',
      invoke: {
        src: 'open',
        input: ({ context: { spec, instance, items, generation, beside = false } }) => ({
          spec,
          instance,
          generation,
          beside,
          previous: items,
        }),
        onDone: [
          { guard: 'isOnlyListed', target: 'idle.closing', actions: { type: 'connect', params: ({ event }) => event.output } },
          { target: 'connected', actions: { type: 'connect', params: ({ event }) => event.output } },
        ],
        onError: { target: 'error', actions: { type: 'fail', params: ({ event }) => ({ error: event.error, connected: false }) } },
      },
      after: {
        startTimeout: {
          target: 'error',
          actions: { type: 'fail', params: ({ context }) => ({ error: startTimeout(context), connected: false }) },
        },
      },
      on: { STOP: 'stopping', RETIRE: 'stopping' },
    },
    connected: {
      entry: 'entered',
      invoke: {
        id: 'live',
        src: 'live',
        input: ({ context: { spec, instance, session, items, notes } }) => ({
          spec,
          instance,
          session: session as BackendSession,
          items,
          notes,
        }),
        onError: { target: 'error', actions: { type: 'fail', params: ({ event }) => ({ error: event.error, connected: true }) } },
      },
      after: { resetAfter: { actions: 'forgive' } },
      on: {
        ITEMS: { actions: assign(({ event: { items, notes } }) => ({ items, notes })) },
        RETAG: {
          actions: [
            { type: 'retag', params: ({ event }) => event },
            { type: 'tellLive', params: ({ event }) => event },
          ],
        },
        RECYCLE: { actions: { type: 'wear', params: ({ event }) => event } },
        HIBERNATE: 'idle.closing',
        CLOSED: {
          target: 'error',
          actions: [
            assign({ kill: ({ event }) => event.kill ?? false }),
            { type: 'fail', params: ({ event }) => ({ error: event.error, connected: true }) },
          ],
        },
        STOP: 'stopping',
        RETIRE: 'stopping.finishing',
      },
    },
    error: {
      entry: 'entered',
      // Two generations of one server must never overlap: the next start waits until nothing of this one is left.
      invoke: {
        src: 'close',
        input: ({ context }) => toClose(context),
        onDone: AFTER_CLOSE,
        onError: AFTER_CLOSE,
      },
      exit: assign({ kill: false }),
      on: { STOP: 'stopping', RETIRE: 'stopping' },
    },
    retrying: {
      entry: ['entered', 'schedule'],
      exit: 'unschedule',
      initial: 'delayed',
      states: {
        delayed: { after: { retryDelay: 'due' } },
        due: { tags: WAITING, on: { START: '#backend.starting' } },
      },
      on: { STOP: 'stopping', RETIRE: 'stopping' },
    },
    failed: {
      entry: ['entered', 'schedule'],
      exit: 'unschedule',
      initial: 'open',
      states: {
        open: { always: { guard: 'givesUp', target: 'down' }, after: { retryDelay: 'due' } },
        due: { tags: WAITING, on: { START: '#backend.starting' } },
        /** Nothing but an operator or another configuration starts it. */
        down: {},
      },
      on: { STOP: 'stopping', RETIRE: 'stopping' },
    },
    stopping: {
      entry: 'entered',
      initial: 'closing',
      states: {
        finishing: {
          invoke: {
            src: 'finish',
            input: ({ context: { session } }) => ({ session }),
            onDone: 'closing',
            onError: 'closing',
          },
          after: { finishTimeout: 'closing' },
          on: { STOP: 'closing' },
        },
        closing: {
          invoke: {
            src: 'close',
            input: ({ context }) => toClose(context),
            onDone: { target: '#backend.stopped', actions: 'forgetSession' },
            onError: { target: '#backend.stopped', actions: 'forgetSession' },
          },
        },
      },
    },
    stopped: { entry: 'entered', type: 'final' },
  },
});

const toClose = (context: BackendContext): ToClose => {
  const { generation, beside = false, session, kill } = context;
  return { id: idOf(context), generation, beside, session, kill };
};

function initialContext(input: BackendInput): BackendContext {
  const { spec, instance, ports, previous, remembered, fresh = false, awake = false } = input;
  const info = previous?.info ?? remembered?.info;
  return {
    ...input,
    since: ports.now(),
    session: undefined,
    kill: false,
    items: previous?.items ?? remembered?.items ?? NO_ITEMS,
    notes: previous?.notes ?? [],
    info,
    remembered: !previous || previous.remembered !== undefined ? remembered : undefined,
    lastConnected: previous?.lastConnected,
    lastError: previous?.lastError,
    retryDelay: 0,
    retryAt: undefined,
    failures: fresh ? 0 : (previous?.failures ?? 0),
    record: NO_FAILURES,
    verdict: 'retry',
    connects: previous?.connects ?? 0,
    settled: previous?.settled ?? remembered !== undefined,
    // An instance is there because somebody asked for it.
    wanted: awake || !spec.lazy || instance !== undefined,
    worn: undefined,
  };
}

/** Milliseconds that a start may take: a launcher may have to fetch what it starts. */
const startTime = ({ spec, connects }: BackendContext): number => (connects === 0 ? spec.installTimeout : spec.startTimeout);

function startTimeout(context: BackendContext): OnemcpError {
  const { name } = context.spec;
  return new OnemcpError('timeout', `"${name}" was not ready within ${startTime(context) / 1000} s of its start`, {
    server: name,
    reason: 'timeout',
    retryable: true,
  });
}

function namedError(name: string, error: unknown): OnemcpError {
  const known = asOnemcpError(error);
  return known.data?.server ? known : new OnemcpError(known.code, known.message, { ...known.data, server: name }, known.cause);
}

/** The part of a backend's snapshot that the World shows. */
export interface BackendSnapshot {
  readonly value: unknown;
  readonly context: BackendContext;
}

/** What a view shows of the configuration of its backend. */
export const configuredView = (spec: BackendSpec) => ({
  name: spec.name,
  namespace: spec.namespace,
  tags: spec.tags,
  critical: spec.critical,
  isolation: spec.isolation,
  kind: spec.kind,
  attributes: spec.kind === 'remote' && spec.type !== 'sse',
  dependsOn: spec.dependsOn,
  enabledTools: spec.enabledTools,
  disabledTools: spec.disabledTools,
  retry: spec.retry,
  maxConcurrency: spec.maxConcurrency,
  maxQueue: spec.maxQueue,
  queueTimeout: spec.queueTimeout,
});

/** Pure projection of a backend machine: a `session` shows only while `connected`. */
export function backendView({ value, context }: BackendSnapshot): BackendView | InstanceView {
  const [state, inner] = (typeof value === 'string' ? [value] : Object.entries(value as object)[0]) as [BackendState, string?];
  const { spec, instance } = context;
  return {
    ...configuredView(spec),
    state,
    since: context.since,
    generation: context.generation,
    session: state === 'connected' ? context.session : undefined,
    items: context.items,
    notes: context.notes,
    info: context.info,
    lastConnected: context.lastConnected,
    lastError: context.lastError,
    retryAt: context.retryAt,
    failures: context.failures,
    connects: context.connects,
    settled: context.settled,
    asleep: state === 'idle' && inner !== 'queued' && !context.wanted,
    remembered: context.remembered?.at,
    // What only the supervisor knows.
    waitsFor: [],
    held: undefined,
    next: undefined,
    ...(instance && { instance }),
  };
}
