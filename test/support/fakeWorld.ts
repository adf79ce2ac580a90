/** Backends, a World and a Context in memory: everything `src/mcp` sees, with nothing behind it. */
import type { OnemcpError } from '../../src/errors.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import { type ContextOptions, createContext } from '../../src/mcp/context.ts';
import { createMethods } from '../../src/mcp/methods/index.ts';
import { createCursors } from '../../src/mcp/page.ts';
import { createSession, type Session } from '../../src/mcp/session.ts';
import type { Naming } from '../../src/mcp/view.ts';
import {
  type BackendSession,
  type BackendView,
  type Instance,
  type Items,
  type Json,
  type JsonRpcMessage,
  NO_ITEMS,
  type Phase,
  type RequestId,
  type RequestOptions,
  type SessionEvent,
  type World,
} from '../../src/world.ts';
import { CONFIG_VIEW } from './specs.ts';

/** A request that reached a fake backend. */
export interface Received {
  readonly method: string;
  readonly params: Json | undefined;
  readonly options: RequestOptions;
}

export interface FakeSession extends BackendSession {
  readonly received: Received[];
  readonly notified: string[];
  readonly closes: number;
  emit(event: SessionEvent): void;
}

export interface FakeSessionOptions {
  readonly capabilities?: Json;
  readonly protocolVersion?: string;
  readonly instructions?: string;
  readonly pid?: number;
  /** The answer of the backend; what it throws is what `request` rejects with. */
  readonly answer?: (received: Received) => Json | Promise<Json>;
}

const EVERYTHING: Json = { tools: {}, prompts: {}, resources: {}, completions: {} };

export function fakeSession(options: FakeSessionOptions = {}): FakeSession {
  const { capabilities = EVERYTHING, protocolVersion = '2025-11-25', instructions, pid, answer = () => ({}) } = options;
  const received: Received[] = [];
  const notified: string[] = [];
  const listeners = new Set<(event: SessionEvent) => void>();
  let inFlight = 0;
  let closes = 0;
  let closed: SessionEvent | undefined;
  return {
    info: { protocolVersion, serverInfo: { name: 'fake' }, capabilities, ...(instructions !== undefined && { instructions }) },
    declared: {},
    pid,
    stderrTail: '',
    lastReceived: 0,
    lastRequested: 0,
    received,
    notified,
    get inFlight() {
      return inFlight;
    },
    get closes() {
      return closes;
    },
    async request(method, params, requestOptions = {}) {
      const request = { method, params, options: requestOptions };
      received.push(request);
      inFlight++;
      try {
        return await answer(request);
      } finally {
        inFlight--;
      }
    },
    notify: (method) => void notified.push(method),
    subscribe(listener) {
      listeners.add(listener);
      if (closed) listener(closed);
      return () => void listeners.delete(listener);
    },
    async close() {
      closes++;
    },
    emit(event) {
      if (event.type === 'closed') closed = event;
      for (const listener of listeners) listener(event);
    },
    toJSON: () => ({ fake: true }),
  };
}

export interface FakeBackend extends Partial<Omit<BackendView, 'items'>> {
  readonly items?: Partial<Items>;
}

/** A backend as the World shows it: connected, unless said otherwise. */
export function viewOf(name: string, { items, ...patch }: FakeBackend = {}): BackendView {
  const state = patch.state ?? 'connected';
  const connected = state === 'connected';
  const session = connected ? (patch.session ?? fakeSession()) : undefined;
  return {
    name,
    namespace: name,
    tags: [],
    critical: false,
    isolation: 'auto',
    kind: 'stdio',
    attributes: patch.kind === 'remote',
    since: 0,
    generation: 0,
    notes: [],
    info: session?.info,
    lastConnected: connected ? 0 : undefined,
    lastError: undefined,
    retryAt: undefined,
    failures: 0,
    connects: connected ? 1 : 0,
    dependsOn: [],
    waitsFor: [],
    asleep: false,
    held: undefined,
    next: undefined,
    remembered: undefined,
    retry: 'safe',
    maxConcurrency: 128,
    maxQueue: 128,
    queueTimeout: 5_000,
    settled: connected,
    ...patch,
    items: { ...NO_ITEMS, ...items },
    state,
    session,
  };
}

export function worldOf(
  views: readonly BackendView[],
  { phase = 'running', disabled = [] }: { phase?: Phase; disabled?: string[] } = {},
): World {
  return {
    phase,
    config: { ...CONFIG_VIEW, serverCount: views.length + disabled.length, disabled },
    backends: new Map(views.map((view) => [view.name, view])),
    instances: new Map(),
  };
}

export const tool = (name: string, more: Json = {}): Json => ({ name, inputSchema: { type: 'object' }, ...more });

export interface FakeGatewayOptions {
  readonly limits?: Partial<Limits>;
  readonly prefix?: Naming['prefix'];
  /** Milliseconds, of both clocks. Default: those of `performance` and `Date`, which fake timers move. */
  readonly now?: () => number;
  readonly sole?: boolean;
  readonly instructions?: ContextOptions['instructions'];
  readonly extensions?: Readonly<Record<string, string>>;
  /** The backend that may ask for the context of other servers. */
  readonly samplingContext?: string;
  /** Counts the calls. */
  readonly counts?: boolean;
}

/** A `Context` over a World that a test changes as it likes. */
export function fakeGateway(views: readonly BackendView[], options: FakeGatewayOptions = {}) {
  const limits = limitsWith(options.limits);
  const naming: Naming = { prefix: options.prefix ?? 'always', maxLength: limits['name.maxLength'] };
  const now = options.now ?? (() => performance.now());
  const listeners = new Set<() => void>();
  const bugs: unknown[] = [];
  let world = worldOf(views);

  const needed: Instance[] = [];
  const released: string[] = [];
  const woken: string[] = [];
  const logged: string[] = [];
  const { context } = createContext({
    world: () => world,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    naming,
    limits,
    serverInfo: { name: 'onemcp', version: '1.2.3' },
    now,
    epoch: options.now ?? (() => Date.now()),
    sole: options.sole ?? false,
    instructions: options.instructions ?? 'full',
    extensions: options.extensions ?? {},
    samplingContext: (backend) => options.samplingContext === backend,
    counts: options.counts,
    need(instance) {
      needed.push(instance);
      setInstance(instance, { state: 'starting' });
    },
    release: (id) => void released.push(id),
    wake: (backend) => void woken.push(backend),
    log: (_, event) => void logged.push(event),
  });
  // What the context itself listens to.
  const own = listeners.size;
  const methods = createMethods(createCursors(Buffer.from('a key that only tests know')));

  const setWorld = (next: World) => {
    world = next;
    for (const listener of [...listeners]) listener();
  };

  function setInstance(instance: Instance, patch: FakeBackend = {}) {
    const view = { ...viewOf(instance.backend, patch), instance };
    setWorld({ ...world, instances: new Map(world.instances).set(instance.id, view) });
  }

  return {
    context,
    methods,
    bugs,
    onBug: (error: unknown) => void bugs.push(error),
    /** Who listens to the World; a wait that is over must not. */
    get listeners() {
      return listeners.size - own;
    },
    /** Instances that somebody wanted, and ids of those that nobody wants any more. */
    needed,
    released,
    /** Backends that were woken. */
    woken,
    logged,
    setWorld,
    /** Replaces one backend. */
    set(view: BackendView) {
      setWorld({ ...world, backends: new Map(world.backends).set(view.name, view) });
    },
    /** Shows an instance of a backend. */
    setInstance,
    remove(name: string) {
      const backends = new Map(world.backends);
      backends.delete(name);
      setWorld({ ...world, backends });
    },
  };
}

export type FakeGateway = ReturnType<typeof fakeGateway>;

/** What a client got for one request. */
export interface Answered {
  readonly result: Json;
  readonly error: { readonly code: number; readonly message: string; readonly data?: Json };
  readonly id: RequestId;
  readonly text: string;
}

/** A client in a session of its own. */
export function fakeClient(gateway: FakeGateway, initialize: Json = { protocolVersion: '2025-11-25' }) {
  const sent: JsonRpcMessage[] = [];
  const progress: JsonRpcMessage[] = [];
  let nextId = 1;
  const { session, opening } = createSession(
    { jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize },
    { context: gateway.context, methods: gateway.methods, send: (message) => sent.push(message) > 0, onBug: gateway.onBug },
  );
  session.notification({ jsonrpc: '2.0', method: 'notifications/initialized' });

  const request = async (method: string, params?: Json, id: RequestId = nextId++): Promise<Answered | undefined> => {
    const text = await session.request(
      { jsonrpc: '2.0', id, method, ...(params && { params: structuredClone(params) }) },
      (message) => progress.push(message) > 0,
    );
    return text === undefined ? undefined : { ...(JSON.parse(text) as Omit<Answered, 'text'>), text };
  };

  return {
    session: session as Session,
    opening,
    /** Messages that belong to no request. */
    sent,
    /** Messages on the streams of requests. */
    progress,
    request,
    /** A request that must be answered. */
    async ask(method: string, params?: Json, id?: RequestId): Promise<Answered> {
      const answer = await request(method, params, id);
      if (!answer) throw new Error(`${method} was not answered`);
      return answer;
    },
    cancel: (requestId: RequestId, reason?: string) =>
      session.notification({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, ...(reason && { reason }) } }),
  };
}

/** A request that waits until a test answers it. */
export function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** All microtasks, and what they cause. */
export const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The fields of an error that matter to a test. */
export const codeOf = (thrown: unknown): OnemcpError['code'] => (thrown as OnemcpError).code;
