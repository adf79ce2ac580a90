/** Machines on a simulated clock, with I/O that does what a test says. */
import { createActor, fromCallback, fromPromise, SimulatedClock } from 'xstate';
import type { BackendSpec } from '../../src/config/config.ts';
import { OnemcpError } from '../../src/errors.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import {
  type BackendEvent,
  backendMachine,
  type Connected,
  idOf,
  type Opened,
  type ToClose,
  type ToFinish,
  type ToOpen,
} from '../../src/machines/backend.ts';
import { type Memory, rootMachine } from '../../src/machines/root.ts';
import type { Roster } from '../../src/machines/roster.ts';
import {
  type BackendSession,
  type BackendView,
  type Instance,
  type InstanceView,
  type Items,
  NO_ITEMS,
  type World,
} from '../../src/world.ts';
import { deferred, fakeSession } from './fakeWorld.ts';
import { BASE_SPEC, CONFIG_VIEW } from './specs.ts';

export function specOf(name: string, patch: Partial<BackendSpec> = {}): BackendSpec {
  return {
    ...BASE_SPEC,
    name,
    namespace: name,
    maxMemory: 0,
    kind: 'stdio',
    command: name,
    args: [],
    env: {},
    cwd: '/',
    ...patch,
  } as BackendSpec;
}

export const instanceOf = (backend: string, key: string, patch: Partial<Instance> = {}): Instance => ({
  id: `${backend}@${key}`,
  backend,
  key,
  client: undefined,
  capabilities: {},
  ...patch,
});

export const opened = (items: Partial<Items> = {}, session: BackendSession = fakeSession()): Opened => ({
  session,
  items: { ...NO_ITEMS, ...items },
  notes: [],
});

export const exit = (name: string) => new OnemcpError('backend_exited', `"${name}" exited with code 1`, { server: name, reason: 'exit' });

/** One running `open` of a backend. */
export interface Opening {
  /** Name of the backend, or id of the instance. */
  readonly name: string;
  readonly previous: Items;
  readonly signal: AbortSignal;
  resolve(value: Opened): void;
  reject(error: unknown): void;
}

export interface Closing {
  readonly name: string;
  readonly session: BackendSession | undefined;
  readonly signal: AbortSignal;
  resolve(): void;
  reject(error: unknown): void;
}

/** The holes of the backend machine, filled with what waits for the test. `order` tells what was asked for, in order. */
export function fakeIo({ closesAtOnce = true }: { closesAtOnce?: boolean } = {}) {
  const opening: Opening[] = [];
  const closing: Closing[] = [];
  const finishing: { session: BackendSession; signal: AbortSignal; resolve: () => void }[] = [];
  const living = new Map<string, (event: BackendEvent) => void>();
  const order: string[] = [];

  const open = fromPromise<Opened, ToOpen>(({ input, signal }) => {
    const { promise, resolve, reject } = deferred<Opened>();
    const name = idOf(input);
    order.push(`open ${name}`);
    opening.push({ name, previous: input.previous, signal, resolve, reject });
    return promise;
  });
  const live = fromCallback<BackendEvent, Connected, BackendEvent>(({ input, sendBack }) => {
    const name = idOf(input);
    living.set(name, sendBack);
    return () => void living.delete(name);
  });
  const finish = fromPromise<void, ToFinish>(({ input: { session }, signal }) => {
    if (!session || session.inFlight === 0) return Promise.resolve();
    const { promise, resolve } = deferred<void>();
    finishing.push({ session, signal, resolve });
    return promise;
  });
  const close = fromPromise<void, ToClose>(({ input: { id: name, session }, signal }) => {
    order.push(`close ${name}`);
    if (closesAtOnce) return Promise.resolve();
    const { promise, resolve, reject } = deferred<void>();
    closing.push({ name, session, signal, resolve, reject });
    return promise;
  });

  return {
    order,
    /** Everything `open` was ever asked for. */
    opening,
    closing,
    /** Sessions that wait for their requests in flight. */
    finishing,
    actors: { open, live, finish, close },
    /** The newest `open` of a backend. */
    openOf(name: string): Opening {
      const found = opening.findLast((one) => one.name === name);
      if (!found) throw new Error(`"${name}" was never opened`);
      return found;
    },
    /** Says something in the name of the live session. */
    say(name: string, event: BackendEvent) {
      const send = living.get(name);
      if (!send) throw new Error(`"${name}" is not live`);
      send(event);
    },
    isLive: (name: string) => living.has(name),
  };
}

/** A roster with nobody in it. */
export const emptyRoster = (world: World): Roster => ({
  world,
  strategy: 'one_for_one',
  specs: new Map(),
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
});

/** What the clock says at the start; a real one never says 0. */
const EPOCH = 1_000_000;

export interface RootOptions {
  /** Wall clock, if it is not the simulated one. */
  readonly now?: () => number;
  readonly limits?: Partial<Limits>;
  readonly random?: () => number;
  /** Replaces the machine of every backend, or the actors in it. */
  readonly backend?: typeof backendMachine;
  readonly settle?: (signal: AbortSignal) => Promise<void>;
  /** What becomes of the session of an actor that crashed; it is recorded anyhow. */
  readonly closeSession?: (closing: { readonly id: string; readonly generation: number; readonly session: BackendSession }) => void;
  readonly io?: ReturnType<typeof fakeIo>;
  readonly memory?: Memory;
  readonly strategy?: 'one_for_one' | 'rest_for_one';
}

/** The root over fake backends. */
export function createRoot(specs: readonly (string | BackendSpec)[], options: RootOptions = {}) {
  const clock = new SimulatedClock();
  clock.set(EPOCH);
  const io = options.io ?? fakeIo();
  const closedSessions: BackendSession[] = [];
  let kills = 0;
  const backend = options.backend ?? backendMachine.provide({ actors: io.actors as never });
  const root = createActor(
    rootMachine.provide({
      actors: {
        backend: backend as never,
        settle: fromPromise<void, undefined>(({ signal }) => (options.settle ?? (() => Promise.resolve()))(signal)),
      },
      actions: {
        closeSession: (_, closing) => {
          closedSessions.push(closing.session);
          options.closeSession?.(closing);
        },
        killAll: () => void kills++,
      },
    }),
    {
      clock,
      input: {
        backends: specs.map((spec) => (typeof spec === 'string' ? specOf(spec) : spec)),
        config: { ...CONFIG_VIEW, serverCount: specs.length },
        limits: limitsWith(options.limits),
        ports: { now: options.now ?? (() => clock.now()), monotonic: () => clock.now(), random: options.random ?? (() => 0.5) },
        memory: options.memory,
        strategy: options.strategy,
      },
    },
  );
  root.start();
  return {
    clock,
    io,
    root,
    closedSessions,
    get kills() {
      return kills;
    },
    world: () => root.getSnapshot().context.world,
    view(name: string): BackendView {
      const view = root.getSnapshot().context.world.backends.get(name);
      if (!view) throw new Error(`there is no "${name}"`);
      return view;
    },
    instance: (id: string): InstanceView | undefined => root.getSnapshot().context.world.instances.get(id),
    need: (instance: Instance) => root.send({ type: 'NEED', instance }),
    release: (id: string) => root.send({ type: 'RELEASE', id }),
    state: (name: string) => root.getSnapshot().context.world.backends.get(name)?.state,
    states: () => Object.fromEntries([...root.getSnapshot().context.world.backends].map(([name, { state }]) => [name, state])),
    children: () => Object.keys(root.getSnapshot().children),
    inState: (state: BackendView['state']) =>
      [...root.getSnapshot().context.world.backends.values()].filter((view) => view.state === state).map(({ name }) => name),
  };
}
