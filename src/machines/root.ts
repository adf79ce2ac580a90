import { type ActorRefFrom, type SnapshotFrom, setup } from 'xstate';
import type { BackendSpec } from '../config/config.ts';
import type { Limits } from '../limits.ts';
import type { BackendSession, ConfigView, Instance, Phase, Remembered } from '../world.ts';
import { type BackendEvent, backendMachine, backendView, type Ports, WAITING } from './backend.ts';
import { providedPromise } from './provided.ts';
import {
  type ChildId,
  crashed,
  type Decision,
  ended,
  granted,
  needed,
  observed,
  type Roster,
  released,
  sequence,
  slotExpired,
  spawned,
  stopping,
} from './supervision.ts';

export interface RootInput {
  readonly backends: readonly BackendSpec[];
  readonly config: ConfigView;
  readonly limits: Limits;
  readonly ports: Ports;
  readonly memory?: Memory | undefined;
}

/** What is known from an earlier run. An object: xstate would take a function in a context for one that makes its value. */
export interface Memory {
  /** What is known of a backend of this specification. */
  recall(spec: BackendSpec): Remembered | undefined;
}

interface RootContext extends RootInput, Roster {}

type ChildSnapshot = SnapshotFrom<typeof backendMachine>;

export type RootEvent =
  /** The listener is open: backends may start. */
  | { readonly type: 'RUN' }
  /** Calls in flight get their grace, then everything stops. */
  | { readonly type: 'DRAIN' }
  /** The shutdown has had its time. */
  | { readonly type: 'DEADLINE' }
  /** A further connection to a backend is to be there, until it is released. */
  | { readonly type: 'NEED'; readonly instance: Instance }
  /** Nobody needs the instance of that id any more. */
  | { readonly type: 'RELEASE'; readonly id: string }
  | { readonly type: 'SLOT_EXPIRED'; readonly id: ChildId };

/** What xstate tells a parent of its children. */
type ChildEvent =
  | { readonly type: `xstate.snapshot.${ChildId}`; readonly snapshot: ChildSnapshot }
  | { readonly type: `xstate.done.actor.${ChildId}`; readonly output: unknown }
  | { readonly type: `xstate.error.actor.${ChildId}`; readonly error: unknown };

/** Time that the last flush needs after the deadline, so that the whole stays within `shutdownTimeout`. */
const FLUSH = 500;

const base = setup({
  types: {
    input: {} as RootInput,
    context: {} as RootContext,
    events: {} as RootEvent,
  },
  actors: {
    backend: backendMachine,
    /** Resolves once no call is in flight. */
    settle: providedPromise<void, undefined>('settle'),
  },
  actions: {
    /** Ends a session whose actor can no longer do it. */
    closeSession: (_, _params: { readonly session: BackendSession }) => {},
    /** Kills whatever is left when the deadline has passed. */
    killAll: () => {},
  },
  guards: {
    noneAlive: ({ context }) => context.alive.size === 0,
  },
  delays: {
    drainTimeout: ({ context }) => context.limits.drainTimeout,
    deadline: ({ context }) => Math.max(0, context.limits.shutdownTimeout - FLUSH),
  },
});

/** An action that carries a decision out. */
const carryOut = (decide: (context: RootContext, event: RootEvent | ChildEvent) => Decision) =>
  base.enqueueActions(({ context, event, enqueue }) => {
    const [next, effects] = decide(context, event);
    if (next !== context) enqueue.assign({ ...next });
    // By id: a child spawned in this very step is not in any snapshot yet.
    const send = (id: ChildId, message: BackendEvent) => enqueue.sendTo(id as never, message as never);
    for (const effect of effects) {
      if (effect.type === 'closeSession') {
        enqueue({ type: 'closeSession', params: { session: effect.session } });
      } else if (effect.type === 'spawn') {
        const { limits, ports } = context;
        const { child, previous } = effect;
        const remembered = child.instance ? undefined : context.memory?.recall(child.spec);
        const input = { ...child, limits, ports, previous, remembered };
        enqueue.spawnChild('backend', { id: effect.id, input, syncSnapshot: true });
      } else if (effect.type === 'start') {
        send(effect.id, { type: 'START' });
        enqueue.raise({ type: 'SLOT_EXPIRED', id: effect.id }, { id: slot(effect.id), delay: context.limits.startSlot });
      } else if (effect.type === 'stop') {
        send(effect.id, { type: 'STOP' });
      } else if (effect.type === 'freeSlot') {
        enqueue.cancel(slot(effect.id));
      } else {
        // Ended children stay in `snapshot.children` until they are stopped.
        enqueue.cancel(slot(effect.id));
        enqueue.stopChild(effect.id);
      }
    }
  });

/** The roster alone, so that decisions cannot touch the rest of the context. */
const grantAfter =
  (step: (roster: Roster, context: RootContext, event: never) => Decision) =>
  (context: RootContext, event: RootEvent | ChildEvent): Decision =>
    sequence(
      context,
      (roster) => step(roster, context, event as never),
      (roster) => granted(roster, context.limits.startsAtOnce),
    );

const spawnAll = carryOut((context) =>
  sequence(context, ...context.backends.map((spec) => (roster: Roster) => spawned(roster, { spec, generation: 0 }))),
);

const observe = carryOut(
  grantAfter((roster, _, { type, snapshot }: { type: string; snapshot: ChildSnapshot }) =>
    observed(roster, idIn(type, 'xstate.snapshot.'), backendView(snapshot), {
      waits: snapshot.hasTag(WAITING),
      starts: snapshot.value === 'starting',
    }),
  ),
);

const forget = carryOut(
  grantAfter((roster, { ports }, { type }: { type: string }) => ended(roster, idIn(type, 'xstate.done.actor.'), ports.now())),
);

const replace = carryOut(
  grantAfter((roster, { ports }, { type, error }: { type: string; error: unknown }) =>
    crashed(roster, idIn(type, 'xstate.error.actor.'), error, ports.now()),
  ),
);

const need = carryOut(
  grantAfter((roster, { backends, ports }, { instance }: { instance: Instance }) => {
    const spec = backends.find(({ name }) => name === instance.backend);
    return spec ? needed(roster, spec, instance, ports.now()) : [roster, []];
  }),
);

const release = carryOut(grantAfter((roster, { ports }, { id }: { id: string }) => released(roster, id, ports.now())));

const expireSlot = carryOut(grantAfter((roster, _, { id }: { id: ChildId }) => slotExpired(roster, id)));

/** Enters a phase; while running, waiting backends get their start slots. */
const enter = (phase: Phase) =>
  carryOut(grantAfter((roster, _, __: never): Decision => [{ ...roster, world: { ...roster.world, phase } }, []]));

/** The first DRAIN starts it; a timer, because a wall clock may be set back meanwhile. */
const startDeadline = base.raise({ type: 'DEADLINE' }, { delay: 'deadline' });

/**
 * The supervisor: spawns one actor per backend and one per instance that is needed, observes them into the World, forgets
 * the ended, replaces the crashed, lets at most `startsAtOnce` launch at the same time, and stops them in reverse order.
 *
 * Invariant: whatever a child does, the root stays active; nothing but `stopped` ends it.
 */
export const rootMachine = base.createMachine({
  id: 'root',
  context: ({ input }) => ({
    ...input,
    world: { phase: 'booting', config: input.config, backends: new Map(), instances: new Map() },
    alive: new Map(),
    waiting: [],
    launching: [],
    respawns: new Map(),
    needed: new Map(),
  }),
  entry: spawnAll,
  initial: 'booting',
  on: {
    NEED: { actions: need },
    RELEASE: { actions: release },
    SLOT_EXPIRED: { actions: expireSlot },
    ...({
      'xstate.snapshot.*': { actions: observe },
      'xstate.done.actor.*': { actions: forget },
      'xstate.error.actor.*': { actions: replace },
    } as object),
  },
  states: {
    booting: { on: { RUN: 'running', DRAIN: { target: 'stopping', actions: startDeadline } } },
    running: { entry: enter('running'), on: { DRAIN: { target: 'draining', actions: startDeadline } } },
    draining: {
      entry: enter('draining'),
      invoke: { id: 'settle', src: 'settle', input: undefined, onDone: 'stopping', onError: 'stopping' },
      after: { drainTimeout: 'stopping' },
      on: { DRAIN: 'stopping', DEADLINE: { target: 'stopped', actions: 'killAll' } },
    },
    stopping: {
      entry: [enter('stopping'), carryOut((context) => stopping(context))],
      always: { guard: 'noneAlive', target: 'stopped' },
      on: { DEADLINE: { target: 'stopped', actions: 'killAll' } },
    },
    stopped: { entry: enter('stopped'), type: 'final' },
  },
});

/** The root's actor. */
export type RootRef = ActorRefFrom<typeof rootMachine>;

const slot = (id: ChildId): string => `slot:${id}`;
const idIn = (type: string, prefix: string): ChildId => type.slice(prefix.length) as ChildId;
