import { assign, setup } from 'xstate';
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
import { restartDelay } from './restart.ts';

/** What time it is and what chance says; both come in, so that every run can be repeated. */
export interface Ports {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
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
  /** What is known from an earlier run, if there is no `previous`. */
  readonly remembered?: Remembered | undefined;
}

export interface BackendContext extends BackendInput {
  readonly since: number;
  readonly session: BackendSession | undefined;
  readonly items: Items;
  readonly notes: readonly string[];
  readonly info: BackendInfo | undefined;
  readonly lastConnected: number | undefined;
  readonly lastError: OnemcpError | undefined;
  readonly retryDelay: number;
  readonly retryAt: number | undefined;
  readonly failures: number;
  readonly connects: number;
  readonly settled: boolean;
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
  readonly previous: Items;
}

/** What `close` is asked for. */
export interface ToClose {
  /** See `idOf`. */
  readonly id: string;
  readonly session: BackendSession | undefined;
}

/** The tag of states in which a backend waits for the root to grant it a start slot. */
export const WAITING = 'waiting';

/**
 * One connection to a backend MCP server: idle → starting → connected → error → retrying → starting …, and stopping →
 * stopped from everywhere. Pure: it names its I/O (`open`, `live`, `close`) and somebody else provides it.
 *
 * Invariant: `context.session` is set in `connected`, and in `error` and `stopping` until `close` has finished with it.
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
    close: providedPromise<void, ToClose>('close'),
  },
  actions: {
    entered: assign({ since: ({ context }) => context.ports.now() }),
    fail: assign(({ context }, { error }: { error: unknown }) => ({
      lastError: namedError(context.spec.name, error),
      failures: context.failures + 1,
      settled: true,
    })),
    schedule: assign(({ context: { limits, failures, ports } }) => {
      const backoff = { initial: limits['restart.initial'], max: limits['restart.max'] };
      const retryDelay = restartDelay(failures, ports.random(), backoff);
      return { retryDelay, retryAt: ports.now() + retryDelay };
    }),
    connect: assign(({ context }, opened: Opened) => ({
      ...opened,
      info: opened.session.info,
      lastConnected: context.ports.now(),
      connects: context.connects + 1,
      settled: true,
      remembered: undefined,
    })),
    forgetSession: assign({ session: undefined }),
    forgive: assign({ failures: 0 }),
  },
  delays: {
    startTimeout: ({ context }) => context.spec.startTimeout,
    retryDelay: ({ context }) => context.retryDelay,
    resetAfter: ({ context }) => context.limits['restart.resetAfter'],
  },
}).createMachine({
  id: 'backend',
  context: ({ input }) => ({
    ...input,
    since: input.ports.now(),
    session: undefined,
    items: input.previous?.items ?? input.remembered?.items ?? NO_ITEMS,
    notes: input.previous?.notes ?? [],
    info: input.previous?.info ?? input.remembered?.info,
    remembered: rememberedBy(input),
    lastConnected: input.previous?.lastConnected,
    lastError: input.previous?.lastError,
    retryDelay: 0,
    retryAt: undefined,
    failures: input.previous?.failures ?? 0,
    connects: input.previous?.connects ?? 0,
    settled: input.previous?.settled ?? input.remembered !== undefined,
  }),
  initial: 'idle',
  states: {
    idle: {
      tags: WAITING,
      entry: 'entered',
      on: { START: 'starting', STOP: 'stopping' },
    },
    starting: {
      entry: 'entered',
      invoke: {
        src: 'open',
        input: ({ context: { spec, instance, items } }) => ({ spec, instance, previous: items }),
        onDone: { target: 'connected', actions: { type: 'connect', params: ({ event }) => event.output } },
        onError: { target: 'error', actions: { type: 'fail', params: ({ event }) => ({ error: event.error }) } },
      },
      after: {
        startTimeout: {
          target: 'error',
          actions: { type: 'fail', params: ({ context }) => ({ error: startTimeout(context) }) },
        },
      },
      on: { STOP: 'stopping' },
    },
    connected: {
      entry: 'entered',
      invoke: {
        src: 'live',
        input: ({ context: { spec, instance, session, items, notes } }) => ({
          spec,
          instance,
          session: session as BackendSession,
          items,
          notes,
        }),
        onError: { target: 'error', actions: { type: 'fail', params: ({ event }) => ({ error: event.error }) } },
      },
      after: { resetAfter: { actions: 'forgive' } },
      on: {
        ITEMS: { actions: assign(({ event: { items, notes } }) => ({ items, notes })) },
        CLOSED: { target: 'error', actions: { type: 'fail', params: ({ event }) => event } },
        STOP: 'stopping',
      },
    },
    error: {
      entry: 'entered',
      // Two generations of one server must never overlap: the next start waits until nothing of this one is left.
      invoke: {
        src: 'close',
        input: ({ context }) => ({ id: idOf(context), session: context.session }),
        onDone: { target: 'retrying', actions: 'forgetSession' },
        onError: { target: 'retrying', actions: 'forgetSession' },
      },
      on: { STOP: 'stopping' },
    },
    retrying: {
      entry: ['entered', 'schedule'],
      exit: assign({ retryAt: undefined }),
      initial: 'delayed',
      states: {
        delayed: { after: { retryDelay: 'due' } },
        due: { tags: WAITING, on: { START: '#backend.starting' } },
      },
      on: { STOP: 'stopping' },
    },
    stopping: {
      entry: 'entered',
      invoke: {
        src: 'close',
        input: ({ context }) => ({ id: idOf(context), session: context.session }),
        onDone: { target: 'stopped', actions: 'forgetSession' },
        onError: { target: 'stopped', actions: 'forgetSession' },
      },
    },
    stopped: { entry: 'entered', type: 'final' },
  },
});

/** A generation after another goes on with what that one knew, be it remembered or not. */
const rememberedBy = ({ previous, remembered }: BackendInput): Remembered | undefined =>
  !previous || previous.remembered !== undefined ? remembered : undefined;

const startTimeout = ({ spec }: BackendContext): OnemcpError =>
  new OnemcpError('timeout', `"${spec.name}" was not ready within ${spec.startTimeout / 1000} s of its start`, {
    server: spec.name,
    reason: 'timeout',
    retryable: true,
  });

function namedError(name: string, error: unknown): OnemcpError {
  const known = asOnemcpError(error);
  return known.data?.server ? known : new OnemcpError(known.code, known.message, { ...known.data, server: name }, known.cause);
}

/** The part of a backend's snapshot that the World shows. */
export interface BackendSnapshot {
  readonly value: unknown;
  readonly context: BackendContext;
}

/** Pure projection of a backend machine: a `session` shows only while `connected`. */
export function backendView({ value, context }: BackendSnapshot): BackendView | InstanceView {
  const state = (typeof value === 'string' ? value : Object.keys(value as object)[0]) as BackendState;
  const { spec, instance } = context;
  return {
    name: spec.name,
    namespace: spec.namespace,
    tags: spec.tags,
    critical: spec.critical,
    isolation: spec.isolation,
    kind: spec.kind,
    attributes: spec.kind === 'remote' && spec.type !== 'sse',
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
    dependsOn: spec.dependsOn,
    waitsFor: [],
    asleep: false,
    held: undefined,
    next: undefined,
    remembered: context.remembered?.at,
    retry: spec.retry,
    maxConcurrency: spec.maxConcurrency,
    maxQueue: spec.maxQueue,
    queueTimeout: spec.queueTimeout,
    ...(instance && { instance }),
  };
}
