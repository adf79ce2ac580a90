import { setTimeout } from 'node:timers/promises';
import { createActor, fromCallback, fromPromise, type InspectionEvent, type Observer } from 'xstate';
import type { Config, Issue, Plan } from '../config/config.ts';
import type { IoDeps } from '../io/deps.ts';
import { createMemoryOf } from '../io/memory.ts';
import {
  type BackendEvent,
  backendMachine,
  type Connected,
  idOf,
  type Opened,
  type Ports,
  type ToClose,
  type ToFinish,
  type ToOpen,
} from '../machines/backend.ts';
import { type Memory, type RootEvent, type RootRef, rootMachine } from '../machines/root.ts';
import type { ConfigView, Instance, Operation, World } from '../world.ts';
import { createLeftovers } from './leftovers.ts';
import { type LiveDeps, watchInstance, watchSession } from './live.ts';
import { type Declare, openBackend } from './open.ts';

export interface SystemOptions {
  readonly config: Config;
  readonly io: IoDeps;
  readonly ports: Ports;
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Resolves once no call is in flight. */
  readonly settle: (signal: AbortSignal) => Promise<void>;
  readonly declare: Declare;
  readonly memory?: Memory | undefined;
  /** Whether clients wait for what a backend may say, by its name; default: no. */
  readonly isHeld?: ((name: string) => boolean) | undefined;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void) | undefined;
}

/** The supervised actors, and the World that shows them. */
export interface System {
  readonly world: () => World;
  /** Calls back after each change of the World, in order of subscription; returns the unsubscriber. */
  readonly onChange: (listener: () => void) => () => void;
  /** Starts the root: every backend exists, idle. */
  start(): void;
  /** Lets backends start. */
  run(): void;
  /** Sees to it that an instance of a backend is there until it is released. Asking again changes nothing. */
  need(instance: Instance): void;
  /** Ends an instance, by its id. */
  release(id: string): void;
  /** A request needs a backend that sleeps. */
  wake(name: string): void;
  /** Does what an operator asks of a backend that is there. */
  operate(operation: Operation): void;
  /** Puts a new configuration in force: what the plan does not name is not touched. */
  apply(plan: Plan, config: Config): void;
  /** The configuration file as it is now was not applied. */
  rejected(issues: readonly Issue[]): void;
  /** Drains, then stops everything. A second call stops at once. Resolves when nothing is left. */
  drain(): Promise<void>;
}

/** Milliseconds between two looks at whether the last request was answered. */
const FINISH_POLL = 20;

/** Fills the holes of the machines with I/O and runs the root. */
export function createSystem(options: SystemOptions): System {
  const { config, io, ports, clientInfo, settle, declare, memory, isHeld = () => false, inspect } = options;
  const { limits } = config;
  /** A start that was given up is still being cleaned up; so is the session of an actor that crashed. */
  const leftovers = createLeftovers();
  const turn = createTurns();

  const open = fromPromise<Opened, ToOpen>(async ({ input, signal }) => {
    const id = idOf(input);
    await leftovers.gone(id, input);
    signal.throwIfAborted();
    const opening = openBackend(input, { io, clientInfo, declare, turn }, signal);
    leftovers.add(id, input.generation, opening);
    return opening;
  });

  const liveDeps: LiveDeps = { limits, redact: io.redact, memoryOf: createMemoryOf(), isHeld };
  const live = fromCallback<BackendEvent, Connected, BackendEvent>(({ input: { instance, ...connected }, sendBack, receive }) => {
    const watching = instance ? watchInstance(connected, liveDeps, sendBack) : watchSession(connected, liveDeps, sendBack);
    receive((event) => {
      if (event.type === 'RETAG') watching.retag(event.spec);
    });
    return watching.end;
  });

  const finish = fromPromise<void, ToFinish>(async ({ input: { session }, signal }) => {
    while (session && session.inFlight > 0 && !signal.aborted) await setTimeout(FINISH_POLL, undefined, { signal });
  });

  const close = fromPromise<void, ToClose>(async ({ input: { id, generation, beside, session, kill } }) => {
    await session?.close({ kill });
    await leftovers.gone(id, { generation, beside });
  });

  const root: RootRef = createActor(
    rootMachine.provide({
      actors: {
        backend: backendMachine.provide({ actors: { open, live, finish, close } as never }),
        settle: fromPromise<void, undefined>(({ signal }) => settle(signal)),
      },
      actions: {
        closeSession: (_, { id, generation, session }) => leftovers.add(id, generation, session.close()),
        killAll: () => io.reaper.killAll(),
      },
    }),
    {
      input: {
        backends: config.backends,
        config: configView(config, ports.now(), 1),
        strategy: config.strategy,
        limits,
        ports,
        memory,
      },
      ...(inspect && { inspect }),
    },
  );

  const listeners = new Set<() => void>();
  let world = root.getSnapshot().context.world;
  root.subscribe(({ context }) => {
    if (context.world === world) return;
    world = context.world;
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        io.log('error', 'internal', { message: (error as Error).message });
      }
    }
  });

  const isActive = () => root.getSnapshot().status === 'active';
  /** Sessions end after the root: what they no longer need is gone already. */
  const send = (event: RootEvent) => {
    if (isActive()) root.send(event);
  };

  return {
    world: () => world,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    start: () => void root.start(),
    run: () => root.send({ type: 'RUN' }),
    need: (instance) => send({ type: 'NEED', instance }),
    release: (id) => send({ type: 'RELEASE', id }),
    wake: (name) => send({ type: 'WAKE_BACKEND', name }),
    operate: (operation) => send({ type: 'OPERATE', operation }),
    apply(plan, next) {
      const view = configView(next, ports.now(), world.config.revision + 1);
      send({ type: 'CONFIGURE', plan, config: view, strategy: next.strategy });
    },
    rejected: (issues) => send({ type: 'CONFIG_REJECTED', lastError: { at: ports.now(), issues } }),
    drain() {
      const done = new Promise<void>((resolve) => {
        if (!isActive()) return resolve();
        root.subscribe({ complete: resolve, error: () => resolve() });
      });
      send({ type: 'DRAIN' });
      return done;
    },
  };
}

/**
 * Starts take turns. A spawn blocks the event loop for milliseconds, for tens of them on a busy machine; after each one as
 * much time belongs to the clients.
 */
function createTurns(): () => Promise<void> {
  let last = Promise.resolve();
  const pause = () =>
    new Promise<void>((resolve) => {
      const began = performance.now();
      setImmediate(() => globalThis.setTimeout(resolve, performance.now() - began));
    });
  return () => {
    const turn = last;
    last = turn.then(pause);
    return turn;
  };
}

const configView = ({ file, backends, disabled, inactive }: Config, appliedAt: number, revision: number): ConfigView => ({
  loaded: true,
  file,
  serverCount: backends.length + disabled.length,
  disabled,
  ...(inactive && { inactive }),
  revision,
  appliedAt,
  lastError: undefined,
});
