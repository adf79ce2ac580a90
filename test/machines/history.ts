/**
 * Plays a history on the root machine: real supervision, real peers (`io/session.ts`), and processes and time that do what the
 * history says. After every step it checks what must always be so.
 */
import { fromCallback, fromPromise } from 'xstate';
import { createLeftovers } from '../../src/actors/leftovers.ts';
import type { BackendSpec } from '../../src/config/config.ts';
import { OnemcpError } from '../../src/errors.ts';
import { openSession } from '../../src/io/session.ts';
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
import type { ChildId, Roster } from '../../src/machines/roster.ts';
import { health, healthLevel, isReady } from '../../src/observe/health.ts';
import { type BackendSession, type BackendView, type Json, type JsonRpcMessage, NO_ITEMS } from '../../src/world.ts';
import { type FakeTransport, fakeTransport } from '../io/fakeTransport.ts';
import { deferred, flush } from '../support/fakeWorld.ts';
import { createRoot, exit, instanceOf, specOf } from '../support/machines.ts';
import { CONFIG_VIEW } from '../support/specs.ts';

/** `which` chooses among what is there; a step that finds nothing does nothing. */
export type Step =
  | { readonly do: 'run' | 'drain' }
  | { readonly do: 'wait'; readonly ms: number }
  /** `connect`, `refuse`: how a handshake ends. `cleanUp`: what was told to end has ended. `die`: a process ends by itself. */
  | { readonly do: 'connect' | 'refuse' | 'cleanUp' | 'die' | 'call' | 'answer' | 'change' | 'need' | 'release'; readonly which: number }
  /** An event that the machine cannot stand: its actor crashes. */
  | { readonly do: 'bug'; readonly which: number }
  /** What operators, requests, watchers and a new configuration ask for. */
  | { readonly do: 'wake' | 'operate' | 'configure' | 'hibernate' | 'recycle'; readonly which: number };
export type History = readonly Step[];

const SPECS: readonly BackendSpec[] = [specOf('a'), specOf('b', { dependsOn: ['a'] }), specOf('c', { lazy: true })];
const BACKENDS = SPECS.map(({ name }) => name);
/** Nobody asks the root for anything after its end. */
const ASKED: ReadonlySet<Step['do']> = new Set<Step['do']>(['need', 'release', 'wake', 'operate', 'configure']);
const OPERATIONS = ['start', 'stop', 'restart', 'drain', 'resume'] as const;
const KEYS = ['client-1', 'client-2'];
const STARTS_AT_ONCE = 2;
const VITALS = { version: '0', uptime: 0, heapUsed: 1, heapTotal: 1, rss: 1, now: 0, transport: 'http' } as const;

/** A process of a backend, from its start until nothing of it is left. */
interface Process {
  readonly id: string;
  readonly transport: FakeTransport;
  shaken: boolean;
  closing: (() => void) | undefined;
}

interface Call {
  readonly process: Process;
  settled: boolean;
}

/** What a history has shown to be wrong, in sentences; nothing, if all is well. */
export async function play(history: History): Promise<readonly string[]> {
  const stage = createStage();
  for (const [at, step] of history.entries()) {
    stage.act(step);
    await stage.settle();
    const wrong = stage.wrong();
    if (wrong.length > 0) return wrong.map((what) => `after step ${at}, ${JSON.stringify(step)}: ${what}`);
  }
  return (await stage.finish()).map((what) => `at the end: ${what}`);
}

function createStage() {
  const processes = new Set<Process>();
  const owners = new Map<BackendSession, Process>();
  const calls: Call[] = [];
  const violations: string[] = [];
  const senders = new Map<string, (event: BackendEvent) => void>();
  /** Used as in `actors/system.ts`. */
  const leftovers = createLeftovers();
  let finishing: { readonly session: BackendSession | undefined; readonly resolve: () => void }[] = [];
  let settled: (() => void) | undefined;

  const gone = (process: Process) => {
    processes.delete(process);
    process.closing?.();
  };
  const spawn = (id: string): Process => {
    const transport = fakeTransport();
    const process: Process = { id, transport, shaken: false, closing: undefined };
    transport.send = (message) => void transport.sent.push(message);
    transport.close = () => {
      transport.closes++;
      if (!processes.has(process)) return Promise.resolve();
      const { promise, resolve } = deferred<void>();
      const earlier = process.closing;
      process.closing = () => {
        earlier?.();
        resolve();
      };
      return promise;
    };
    processes.add(process);
    violations.push(...tooMany(processes, root.getSnapshot().context));
    return process;
  };

  const open = fromPromise<Opened, ToOpen>(async ({ input, signal }) => {
    const id = idOf(input);
    await leftovers.gone(id, input);
    signal.throwIfAborted();
    const process = spawn(id);
    const opening = openSession(process.transport, {
      name: input.spec.name,
      requestTimeout: 60_000,
      requestTotalTimeout: 60_000,
      humanTotalTimeout: 60_000,
      floodMessages: 200,
      floodProgress: 10,
      clientInfo: { name: 'onemcp', version: '0' },
      log: () => {},
      signal,
    }).then((session) => {
      owners.set(session, process);
      return { session, items: NO_ITEMS, notes: [] };
    });
    leftovers.add(id, input.generation, opening);
    return opening;
  });
  const live = fromCallback<BackendEvent, Connected, BackendEvent>(({ input: { session, ...target }, sendBack }) => {
    const id = idOf(target);
    senders.set(id, sendBack);
    const unwatch = session.subscribe((event) => {
      if (event.type === 'closed') sendBack({ type: 'CLOSED', error: event.error });
    });
    return () => {
      unwatch();
      if (senders.get(id) === sendBack) senders.delete(id);
    };
  });
  const finish = fromPromise<void, ToFinish>(
    ({ input: { session } }) => new Promise<void>((resolve) => finishing.push({ session, resolve })),
  );
  const close = fromPromise<void, ToClose>(async ({ input: { id, generation, beside, session, kill } }) => {
    await session?.close({ kill });
    await leftovers.gone(id, { generation, beside });
  });

  let chance = 1;
  const system = createRoot(SPECS, {
    limits: { startsAtOnce: STARTS_AT_ONCE },
    random: () => {
      chance = (chance * 48_271) % 2_147_483_647;
      return chance / 2_147_483_647;
    },
    backend: backendMachine.provide({ actors: { open, live, finish, close } as never }),
    closeSession: ({ id, generation, session }) => leftovers.add(id, generation, session.close()),
    settle: () => new Promise<void>((resolve) => (settled = resolve)),
  });
  const { root, world } = system;
  const views = (): BackendView[] => [...world().backends.values(), ...world().instances.values()];
  const isOver = () => root.getSnapshot().status !== 'active';

  const call = ({ session }: BackendView, process: Process) => {
    const one: Call = { process, settled: false };
    calls.push(one);
    const over = () => {
      if (one.settled) violations.push('a call settled twice');
      one.settled = true;
    };
    session?.request('tools/call', {}).then(over, over);
  };
  /** A crashed actor no longer listens. */
  const listening = () =>
    [...senders].filter(([id]) => views().some((view) => nameOf(view) === id && view.session)).map(([, send]) => send);
  const processOf = ({ session }: BackendView): Process | undefined => {
    const process = session && owners.get(session);
    return process && processes.has(process) ? process : undefined;
  };
  /** Processes that nobody has told to end, but for those that finish what they were asked. */
  const untold = (view: BackendView): number => {
    const { alive, leaving } = root.getSnapshot().context;
    const finishing = [...leaving].filter((id) => idOf(alive.get(id) ?? { spec: specOf('') }) === nameOf(view)).length;
    return [...processes].filter(({ id, closing }) => id === nameOf(view) && !closing).length - finishing;
  };
  const one = <T>(which: number, from: Iterable<T>): T | undefined => {
    const all = [...from];
    return all[which % all.length];
  };

  const acts: { [K in Exclude<Step['do'], 'run' | 'drain' | 'wait'>]: (which: number) => void } = {
    connect(which) {
      const process = one(
        which,
        [...processes].filter(({ shaken, closing }) => !shaken && !closing),
      );
      if (!process) return;
      process.shaken = true;
      answer(process.transport, process.transport.sent[0], { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {} });
    },
    refuse(which) {
      const process = one(
        which,
        [...processes].filter(({ shaken, closing }) => !shaken && !closing),
      );
      process?.transport.onclose?.(exit(process.id));
    },
    die(which) {
      const process = one(
        which,
        [...processes].filter(({ shaken, closing }) => shaken && !closing),
      );
      process?.transport.onclose?.(exit(process.id));
    },
    cleanUp(which) {
      const process = one(
        which,
        [...processes].filter(({ closing }) => closing),
      );
      if (process) gone(process);
    },
    call(which) {
      const view = one(
        which,
        views().filter(({ session }) => session),
      );
      const process = view && processOf(view);
      if (view && process) call(view, process);
      else if (view && system.kills === 0) violations.push(`"${nameOf(view)}" is connected to nothing`);
    },
    answer(which) {
      const process = one(
        which,
        [...processes].filter(({ shaken }) => shaken),
      );
      const request =
        process &&
        one(
          which >> 2,
          process.transport.sent.filter(({ method }) => method === 'tools/call'),
        );
      if (process && request) answer(process.transport, request, {});
    },
    change(which) {
      one(which, listening())?.({ type: 'ITEMS', items: { ...NO_ITEMS, tools: [{ name: `t${which}` }] }, notes: [] });
    },
    bug(which) {
      const poison = { type: 'ITEMS', notes: [] };
      Object.defineProperty(poison, 'items', {
        get() {
          throw new Error('a bug of ours');
        },
      });
      one(which, listening())?.(poison as never);
    },
    wake: (which) => root.send({ type: 'WAKE_BACKEND', name: one(which, BACKENDS) as string }),
    operate: (which) => {
      const op = one(which >> 2, OPERATIONS) as (typeof OPERATIONS)[number];
      root.send({ type: 'OPERATE', operation: { op, name: one(which, BACKENDS) as string } });
    },
    configure: (which) => configure(which),
    hibernate: (which) => one(which, listening())?.({ type: 'HIBERNATE' }),
    recycle: (which) => one(which, listening())?.({ type: 'RECYCLE', error: new OnemcpError('memory_exceeded', 'too large') }),
    need: (which) => system.need(instanceOf(one(which, BACKENDS) as string, one(which >> 2, KEYS) as string)),
    release: (which) => {
      const id = one(which, world().instances.keys());
      if (id !== undefined) system.release(id);
    },
  };

  /** Each backend is replaced, changed in what restarts nothing, removed, put back or left alone. */
  const configure = (which: number) => {
    const { specs } = root.getSnapshot().context;
    const plan = {
      start: [] as BackendSpec[],
      stop: [] as string[],
      swap: [] as BackendSpec[],
      retag: [] as BackendSpec[],
      unchanged: [] as string[],
    };
    for (const [at, spec] of SPECS.entries()) {
      const choice = (which >> (2 * at)) % 4;
      if (!specs.has(spec.name)) plan.start.push({ ...spec });
      else if (choice === 0) plan.swap.push({ ...spec, ...(which % 2 === 0 && { handoff: 'stop-first' as const }) });
      else if (choice === 1) plan.stop.push(spec.name);
      else if (choice === 2) plan.retag.push({ ...(specs.get(spec.name) as BackendSpec), tags: [`t${which}`] });
      else plan.unchanged.push(spec.name);
    }
    root.send({
      type: 'CONFIGURE',
      plan: { ...plan, order: BACKENDS, needsRestart: [] },
      config: CONFIG_VIEW,
      strategy: which % 3 ? 'one_for_one' : 'rest_for_one',
    });
  };

  const act = (step: Step) => {
    if (step.do === 'wait') return void system.clock.increment(step.ms);
    if (step.do === 'run' || step.do === 'drain') {
      if (!isOver()) root.send({ type: step.do === 'run' ? 'RUN' : 'DRAIN' });
      return;
    }
    if (isOver() && ASKED.has(step.do)) return;
    if ('which' in step) acts[step.do](step.which);
  };
  const settle = async () => {
    await flush();
    finishing = finishing.filter(({ session, resolve }) => (session?.inFlight ?? 0) > 0 || resolve());
    if (calls.every((call) => call.settled)) settled?.();
    if (system.kills > 0) for (const process of [...processes]) die(process);
    await flush();
  };
  /** SIGKILL: it is gone, and everybody who waits for its end is told. */
  const die = (process: Process) => {
    process.transport.onclose?.(exit(process.id));
    gone(process);
  };

  const wrong = () => [
    ...violations,
    ...tooMany(processes, root.getSnapshot().context),
    ...wrongRoster(root.getSnapshot().context),
    // Whom the deadline kills, nobody is left to ask about.
    ...(system.kills > 0 ? [] : views().flatMap((view) => wrongView(view, processOf(view), untold(view)))),
    ...wrongHealth(world()),
    ...(root.getSnapshot().context.launching.length > STARTS_AT_ONCE ? ['too many hold a start slot'] : []),
    ...calls.filter((one) => !one.settled && !processes.has(one.process)).map(({ process }) => `a call of "${process.id}" outlived it`),
    ...wrongChildren(root.getSnapshot()),
  ];

  return {
    act,
    settle,
    wrong,
    async finish(): Promise<readonly string[]> {
      act({ do: 'drain' });
      for (let turn = 0; turn < 40 && !isOver(); turn++) {
        await settle();
        acts.cleanUp(turn);
        act({ do: 'wait', ms: 1_000 });
      }
      await settle();
      const found = [...wrong()];
      if (!isOver()) found.push('the root never stopped');
      if (processes.size > 0) found.push(`${[...processes].map(({ id }) => id)} are left`);
      if (calls.some((call) => !call.settled)) found.push('a call is pending');
      if (world().phase !== 'stopped') found.push(`the phase is ${world().phase}`);
      return found;
    },
  };
}

const nameOf = (view: BackendView): string => ('instance' in view ? (view.instance as { id: string }).id : view.name);

const answer = (transport: FakeTransport, request: JsonRpcMessage | undefined, result: Json) =>
  transport.onmessage?.({ jsonrpc: '2.0', id: request?.id as number, result });

function wrongView(view: BackendView, own: Process | undefined, left: number): string[] {
  const id = nameOf(view);
  const found: string[] = [];
  if ((view.state === 'connected') !== (view.session !== undefined)) found.push(`"${id}" is ${view.state}, session ${view.session}`);
  if (view.session && !own) found.push(`"${id}" has a session of nothing`);
  if (view.state === 'stopped' && left > 0) found.push(`"${id}" is stopped, but ${left} processes of it were never told`);
  return found;
}

/** Each actor has one process at most. */
function tooMany(processes: ReadonlySet<Process>, { alive }: Roster): string[] {
  const counts = new Map<string, number>();
  for (const { id } of processes) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const child of alive.values()) counts.set(idOf(child), (counts.get(idOf(child)) ?? 0) - 1);
  return [...counts].filter(([, count]) => count > 0).map(([id, count]) => `${count} processes of "${id}" more than actors`);
}

/** Besides those that are on their way out, and a planned successor, there is one actor of each. */
function wrongRoster({ alive, leaving, successors }: Roster): string[] {
  const planned = new Set(successors.values());
  const there = [...alive].filter(([id]) => !leaving.has(id) && !planned.has(id as ChildId)).map(([, child]) => idOf(child));
  return there.filter((id, at) => there.indexOf(id) !== at).map((id) => `there are two actors of "${id}"`);
}

/** Health says what the World says, and nothing else. */
function wrongHealth(world: Parameters<typeof health>[0]): string[] {
  const body = health(world, VITALS);
  const found: string[] = [];
  const usable = ({ state, asleep, held }: BackendView) => (state === 'connected' || asleep) && held === undefined;
  for (const view of world.backends.values()) {
    const shown = body.servers.details.find(({ name }) => name === view.name);
    if (shown?.status !== view.state) found.push(`health says "${view.name}" is ${shown?.status}, it is ${view.state}`);
    if (shown?.healthy !== usable(view)) found.push(`health says "${view.name}" is healthy: ${shown?.healthy}`);
    if (shown?.pid !== view.session?.pid) found.push(`health shows a pid of "${view.name}" that is not there`);
    if (shown?.inFlight !== view.session?.inFlight) found.push(`health counts ${shown?.inFlight} calls of "${view.name}"`);
  }
  const up = [...world.backends.values()].filter(usable).length;
  if (body.servers.healthy !== up) found.push(`health counts ${body.servers.healthy} of ${up}`);
  const level =
    up === 0 && world.backends.size > 0
      ? 'unhealthy'
      : up < world.backends.size || !/^(running|booting)$/.test(world.phase)
        ? 'degraded'
        : 'healthy';
  if (body.status !== level || healthLevel(world) !== level) found.push(`health says ${body.status}, it is ${level}`);
  if (isReady(world) !== (world.phase === 'running')) found.push(`ready is ${isReady(world)} while ${world.phase}`);
  return found;
}

/** What the World shows of a child is what the child is. */
function wrongChildren({ context, children }: { context: unknown; children: Readonly<Record<string, unknown>> }): string[] {
  const { world, alive } = context as { world: Parameters<typeof health>[0]; alive: ReadonlyMap<string, { generation: number }> };
  return [...alive].flatMap(([id, { generation }]) => {
    const child = children[id] as { getSnapshot(): { value: unknown } } | undefined;
    if (!child) return [`"${id}" is alive without an actor`];
    const value = child.getSnapshot().value;
    const state = typeof value === 'string' ? value : Object.keys(value as object)[0];
    const name = id.slice(0, id.lastIndexOf('#'));
    const view = world.backends.get(name) ?? world.instances.get(name);
    if (!view || view.generation !== generation) return [];
    return view.state === state ? [] : [`the World shows "${name}" ${view.state}, its machine is ${state}`];
  });
}
