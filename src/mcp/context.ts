import type { Limits } from '../limits.ts';
import type { Instance, World } from '../world.ts';
import type { Client } from './client.ts';
import { createConnections } from './connections.ts';
import { createElicitations } from './elicitations.ts';
import { createLanes } from './lanes.ts';
import { createLevels } from './levels.ts';
import type { Context } from './method.ts';
import { createSubscriptions } from './subscriptions.ts';
import type { Tracing } from './tracing.ts';
import { createTraffic } from './traffic.ts';
import { ClientUpward } from './upward.ts';
import { exposeUri } from './uri.ts';
import { createViewOf, type Naming } from './view.ts';
import { watchConnections } from './watch.ts';

export interface ContextOptions {
  readonly world: () => World;
  /** Calls back after each change of the World; returns the unsubscriber. */
  readonly onChange: (listener: () => void) => () => void;
  readonly naming: Naming;
  readonly limits: Limits;
  readonly serverInfo: Context['serverInfo'];
  /** Monotonic milliseconds, and milliseconds since the epoch. */
  readonly now: () => number;
  readonly epoch: () => number;
  /** There is never more than one client. */
  readonly sole: boolean;
  readonly instructions: Context['instructions'];
  /** `passthroughExtensions` of the configuration: extension → backend. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly samplingContext: (backend: string) => boolean;
  /** Counts the calls to each backend. */
  readonly counts?: boolean | undefined;
  /** Starts and ends instances. */
  readonly need: (instance: Instance) => void;
  readonly release: (id: string) => void;
  /** Starts a backend that sleeps. */
  readonly wake: (backend: string) => void;
  readonly log: Context['log'];
}

/** What is known only after the start. */
export type OpenContext = Context & { startedAt: number; tracing: Tracing | undefined };

/** What the methods share, put together. Before anybody else listens to the World, so that connections are greeted first. */
export function createContext(options: ContextOptions): { readonly context: OpenContext; close(): void } {
  const { world, onChange, naming, limits, serverInfo, now, epoch, sole, instructions, extensions, samplingContext } = options;
  const { need, release, wake, log, counts } = options;
  const clients = new Set<Client>();
  const namespaceOf = (backend: string) => world().backends.get(backend)?.namespace ?? backend;
  const subscriptions = createSubscriptions({
    limits,
    expose: (backend, uri) => (naming.prefix === 'never' ? uri : exposeUri(namespaceOf(backend), uri)),
    sessionOf: (id) => (world().instances.get(id) ?? world().backends.get(id))?.session,
    onFailure: (backend, { message }) => log('warn', 'backend.subscription_failed', { backend, message }),
  });
  const connections = createConnections({
    world,
    limits,
    now,
    clients,
    sole,
    extensions,
    need,
    release,
    upwardTo: (client, backend) => new ClientUpward({ client, send: client.send }, backend, context),
    isHeld: subscriptions.isHeld,
    onFull: (backend) => log('warn', 'backend.instances_full', { backend, limit: limits['instance.max'] }),
  });
  const levels = createLevels({
    world,
    clients,
    connections,
    onFailure: ({ name }, { message }) => log('warn', 'backend.set_level_failed', { backend: name, message }),
  });
  const elicitations = createElicitations();
  const close = watchConnections({
    world,
    onChange,
    subscriptions,
    levels,
    elicitations,
    onUnclaimed: ({ name }, method) => log('debug', 'backend.notification_unclaimed', { backend: name, method }),
  });
  const context = {
    world,
    onChange,
    view: createViewOf(naming),
    naming,
    limits,
    serverInfo,
    log,
    traffic: createTraffic(),
    tracing: undefined as Tracing | undefined,
    now,
    epoch,
    startedAt: now(),
    handedOut: new Map(),
    clients,
    connections,
    lanes: createLanes({ world, limits, now, wake, counts }),
    announced: { tools: 0, prompts: 0, resources: 0 },
    subscriptions,
    levels,
    elicitations,
    instructions,
    samplingContext,
    extensions,
  };
  return { context, close };
}
