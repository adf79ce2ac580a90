import { type ActorRefFrom, type SnapshotFrom, setup } from 'xstate';
import type { BackendSpec, Plan } from '../config/config.ts';
import type { Limits } from '../limits.ts';
import type { BackendSession, ConfigView, Instance, Operation, Phase, Remembered } from '../world.ts';
import { type BackendEvent, backendMachine, backendView, type Ports, WAITING } from './backend.ts';
import { needed, released } from './instances.ts';
import { operated, resumed } from './operations.ts';
import { providedPromise } from './provided.ts';
import { configured } from './reconfigure.ts';
import { type ChildId, childId, currentChild, type Decision, type Effect, type Roster, sequence, spawned } from './roster.ts';
import { crashed, ended, granted, observed, slotExpired, stopping } from './supervision.ts';

export interface RootInput {
  readonly backends: readonly BackendSpec[];
  readonly config: ConfigView;
  readonly strategy?: Roster['strategy'] | undefined;
  readonly limits: Limits;
  readonly ports: Ports;
  readonly memory?: Memory | undefined;
}

/** What is known from an earlier run. An object: xstate would take a function in a context for one that makes its value. */
export interface Memory {
  /** What is known of a backend of this specification. */
  recall(spec: BackendSpec): Remembered | undefined;
}

interface RootContext extends Omit<RootInput, 'strategy'>, Roster {}

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
  | { readonly type: 'SLOT_EXPIRED'; readonly id: ChildId }
  /** A request needs a backend that sleeps. */
  | { readonly type: 'WAKE_BACKEND'; readonly name: string }
  /** An operator asks for something. */
  | { readonly type: 'OPERATE'; readonly operation: Operation }
  /** The time of a hold is over. */
  | { readonly type: 'HOLD_EXPIRED'; readonly name: string }
  /** A new configuration is in force. */
  | { readonly type: 'CONFIGURE'; readonly plan: Plan; readonly config: ConfigView; readonly strategy: Roster['strategy'] }
  /** The file as it is now was not applied. */
  | { readonly type: 'CONFIG_REJECTED'; readonly lastError: NonNullable<ConfigView['lastError']> };

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
    closeSession: (_, _params: { readonly id: string; readonly generation: number; readonly session: BackendSession }) => {},
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
      switch (effect.type) {
        case 'closeSession':
          enqueue({ type: 'closeSession', params: { id: effect.id, generation: effect.generation, session: effect.session } });
          break;
        case 'spawn':
          enqueue.spawnChild('backend', { id: effect.id, input: backendInput(context, effect), syncSnapshot: true });
          break;
        case 'start':
          send(effect.id, { type: 'START' });
          enqueue.raise({ type: 'SLOT_EXPIRED', id: effect.id }, { id: slot(effect.id), delay: context.limits.startSlot });
          break;
        case 'stop':
          send(effect.id, { type: effect.finish ? 'RETIRE' : 'STOP' });
          break;
        case 'wake':
          send(effect.id, { type: 'WAKE' });
          break;
        case 'retag':
          send(effect.id, { type: 'RETAG', spec: effect.spec });
          break;
        case 'freeSlot':
          enqueue.cancel(slot(effect.id));
          break;
        case 'hold':
          enqueue.cancel(hold(effect.name));
          enqueue.raise({ type: 'HOLD_EXPIRED', name: effect.name }, { id: hold(effect.name), delay: effect.ms });
          break;
        case 'unhold':
          enqueue.cancel(hold(effect.name));
          break;
        case 'remove':
          // Ended children stay in `snapshot.children` until they are stopped.
          enqueue.cancel(slot(effect.id));
          enqueue.stopChild(effect.id);
      }
    }
  });

const backendInput = ({ limits, ports, memory }: RootContext, { child, previous }: Effect & { type: 'spawn' }) => ({
  ...child,
  limits,
  ports,
  previous,
  // An instance has no lists of its own.
  remembered: child.instance ? undefined : memory?.recall(child.spec),
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
  grantAfter((roster, { ports }, { type, snapshot }: { type: string; snapshot: ChildSnapshot }) =>
    observed(
      roster,
      idIn(type, 'xstate.snapshot.'),
      backendView(snapshot),
      { waits: snapshot.hasTag(WAITING), starts: snapshot.value === 'starting', worn: snapshot.context.worn !== undefined },
      ports.now(),
    ),
  ),
);

const forget = carryOut(
  grantAfter((roster, { ports }, { type }: { type: string }) =>
    sequence(
      roster,
      (latest) => ended(latest, idIn(type, 'xstate.done.actor.'), ports.now()),
      // Whom the ended one depended on may end now.
      (latest) => (latest.world.phase === 'stopping' ? stopping(latest) : [latest, []]),
    ),
  ),
);

const replace = carryOut(
  grantAfter((roster, { ports }, { type, error }: { type: string; error: unknown }) =>
    sequence(
      roster,
      (latest) => crashed(latest, idIn(type, 'xstate.error.actor.'), error, { now: ports.now(), monotonic: ports.monotonic() }),
      (latest) => (latest.world.phase === 'stopping' ? stopping(latest) : [latest, []]),
    ),
  ),
);

const need = carryOut(
  grantAfter((roster, { ports }, { instance }: { instance: Instance }) => {
    const spec = roster.specs.get(instance.backend);
    return spec ? needed(roster, spec, instance, { now: ports.now(), monotonic: ports.monotonic() }) : [roster, []];
  }),
);

const release = carryOut(grantAfter((roster, { ports }, { id }: { id: string }) => released(roster, id, ports.now())));

const wake = carryOut(
  grantAfter((roster, _, { name }: { name: string }): Decision => {
    const child = roster.world.backends.get(name)?.asleep ? currentChild(roster, name) : undefined;
    return [roster, child ? [{ type: 'wake', id: childId(child) }] : []];
  }),
);

const operate = carryOut(
  grantAfter((roster, { ports }, { operation }: { operation: Operation }) => operated(roster, operation, ports.now())),
);

const endHold = carryOut(grantAfter((roster, _, { name }: { name: string }) => resumed(roster, name)));

const configure = carryOut(
  grantAfter((roster, { ports }, { plan, config, strategy }: RootEvent & { type: 'CONFIGURE' }) =>
    configured({ ...roster, strategy }, plan, config, ports.now()),
  ),
);

const noteRejected = carryOut(
  grantAfter(
    (roster, _, { lastError }: RootEvent & { type: 'CONFIG_REJECTED' }): Decision => [
      { ...roster, world: { ...roster.world, config: { ...roster.world.config, lastError } } },
      [],
    ],
  ),
);

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
    strategy: input.strategy ?? 'one_for_one',
    specs: new Map(input.backends.map((spec) => [spec.name, spec])),
    world: { phase: 'booting', config: input.config, backends: new Map(), instances: new Map() },
    alive: new Map(),
    waiting: [],
    launching: [],
    respawns: new Map(),
    needed: new Map(),
    leaving: new Set(),
    successors: new Map(),
    heirs: new Map(),
    stopped: new Set(),
    held: new Map(),
  }),
  entry: spawnAll,
  initial: 'booting',
  on: {
    NEED: { actions: need },
    RELEASE: { actions: release },
    SLOT_EXPIRED: { actions: expireSlot },
    WAKE_BACKEND: { actions: wake },
    OPERATE: { actions: operate },
    HOLD_EXPIRED: { actions: endHold },
    CONFIGURE: { actions: configure },
    CONFIG_REJECTED: { actions: noteRejected },
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
const hold = (name: string): string => `hold:${name}`;
const idIn = (type: string, prefix: string): ChildId => type.slice(prefix.length) as ChildId;
