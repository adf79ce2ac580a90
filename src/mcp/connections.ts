import type { BackendSpec } from '../config/config.ts';
import { OnemcpError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Limits } from '../limits.ts';
import type { BackendView, Instance, Json, Upward, World } from '../world.ts';
import { type CapabilityClass, classOf, ownCapabilities } from './capabilities.ts';
import type { Client } from './client.ts';

/**
 * Which connection to a backend a client uses. The first connection of a backend is there for the lists, and for every
 * client that needs no other; what else is needed is started with the first call and ended when nobody uses it.
 */
export interface Connections {
  /** The instance that requests of a client go to; undefined: the backend's first connection. */
  instanceOf(view: BackendView, client: Client): Instance | undefined;
  /** Whether requests of a client go over the connection that a view shows. */
  isOf(client: Client, view: BackendView): boolean;
  /** Sees to it that an instance is there, now and for some time. @throws OnemcpError `busy` when there are too many */
  use(instance: Instance): void;
  /** What a connection declares to its backend, and whose it is if it is one client's. */
  declare(spec: BackendSpec, instance: Instance | undefined): { capabilities: Json; owner?: Upward | undefined };
  /** Tells the backends that know this client's roots. */
  rootsChanged(client: Client): void;
  /** Ends what a client alone used. */
  drop(client: Client): void;
  /** Ends what was not used for long. */
  sweep(): void;
}

export interface ConnectionsOptions {
  readonly world: () => World;
  readonly limits: Limits;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly clients: ReadonlySet<Client>;
  /** There is never more than one client, so everything is its own. */
  readonly sole: boolean;
  /** `passthroughExtensions` of the configuration: extension → backend. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly need: (instance: Instance) => void;
  readonly release: (id: string) => void;
  /** The way up to a client, for what belongs to none of its requests. */
  readonly upwardTo: (client: Client, backend: string) => Upward;
  /** Whether anything but calls keeps an instance in use. */
  readonly isHeld: (id: string) => boolean;
  /** A class of clients shares the first connection, because there are too many others. */
  readonly onFull: (backend: string) => void;
}

interface Used {
  readonly instance: Instance;
  lastUsed: number;
}

/** What a client wants of a backend, and for which configuration of it. */
interface Wanted extends Pick<BackendView, 'isolation' | 'attributes'> {
  readonly instance: Instance | undefined;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { world, limits, now, clients, sole, extensions, need, release, upwardTo, isHeld, onFull } = options;
  const used = new Map<string, Used>();
  /** Backends whose lack of connections was told. */
  const full = new Set<string>();
  /** What a client wants of a backend stays the same while the backend is configured so, and every call asks. */
  const wanted = new WeakMap<Client, Map<string, Wanted>>();

  const extensionsOf = (backend: string): readonly string[] => Object.keys(extensions).filter((name) => extensions[name] === backend);

  const countOf = (backend: string): number => {
    let count = 0;
    for (const { instance } of used.values()) if (instance.backend === backend) count++;
    return count;
  };

  /** Undefined for a client that needs no connection besides the first. */
  const instanceFor = ({ name, attributes, isolation }: BackendView, client: Client): Instance | undefined => {
    if (sole && (isolation === 'auto' || isolation === 'session')) return undefined;
    if (isolation === 'session') {
      const capabilities = ownCapabilities(client.capabilities, extensionsOf(name));
      return { id: `${name}@${client.id}`, backend: name, key: client.id, client: client.id, capabilities };
    }
    // What cannot be attributed to one of several clients is not asked for: nothing is declared.
    const { key: own, capabilities } = attributes ? classOf(client.capabilities, extensionsOf(name)) : NOTHING;
    const key = isolation === 'principal' ? [client.principal, own].filter(Boolean).join('+') : own;
    return key === '' ? undefined : { id: `${name}@${key}`, backend: name, key, client: undefined, capabilities };
  };

  const wantedOf = (view: BackendView, client: Client): Instance | undefined => {
    const { name, attributes, isolation } = view;
    let byBackend = wanted.get(client);
    if (!byBackend) {
      byBackend = new Map();
      wanted.set(client, byBackend);
    }
    let known = byBackend.get(name);
    if (known?.isolation !== isolation || known.attributes !== attributes) {
      known = { isolation, attributes, instance: instanceFor(view, client) };
      byBackend.set(name, known);
    }
    return known.instance;
  };

  const instanceOf = (view: BackendView, client: Client): Instance | undefined => {
    const instance = wantedOf(view, client);
    const { name, isolation } = view;
    if (!instance || used.has(instance.id) || isolation === 'session' || isolation === 'principal') return instance;
    if (countOf(name) < limits['instance.max']) return instance;
    if (!full.has(name)) onFull(name);
    full.add(name);
    return undefined;
  };

  const end = ({ id, backend }: Instance) => {
    used.delete(id);
    full.delete(backend);
    release(id);
  };

  const soleClient = (): Client | undefined => (sole ? clients.values().next().value : undefined);

  return {
    instanceOf,
    isOf: (client, view) => instanceOf(world().backends.get(view.name) ?? view, client)?.id === instanceIdOf(view),

    use(instance) {
      const known = used.get(instance.id);
      if (known) known.lastUsed = now();
      else {
        const limit = limits['instance.max'];
        if (countOf(instance.backend) >= limit) throw tooMany(instance.backend, limit);
        used.set(instance.id, { instance, lastUsed: now() });
      }
      const state = world().instances.get(instance.id)?.state;
      // One that is ending, or was given up, is wanted anew.
      if (!known || state === undefined || state === 'stopping' || state === 'error') need(instance);
    },

    declare({ name, isolation }, instance) {
      if (instance) {
        const owner = instance.client === undefined ? undefined : [...clients].find(({ id }) => id === instance.client);
        return { capabilities: instance.capabilities, owner: owner && upwardTo(owner, name) };
      }
      const client = isolation === 'auto' || isolation === 'session' ? soleClient() : undefined;
      if (!client) return { capabilities: {} };
      return { capabilities: ownCapabilities(client.capabilities, extensionsOf(name)), owner: upwardTo(client, name) };
    },

    rootsChanged(client) {
      const { backends, instances } = world();
      const own = sole ? [...backends.values()] : [...instances.values()].filter(({ instance }) => instance.client === client.id);
      for (const { session } of own) {
        const roots = session?.declared.roots;
        if (isObject(roots) && roots.listChanged === true) session?.notify('notifications/roots/list_changed');
      }
    },

    drop(client) {
      for (const { instance } of [...used.values()]) if (instance.client === client.id) end(instance);
    },

    sweep() {
      const before = now() - limits['instance.idle'];
      for (const { instance, lastUsed } of [...used.values()]) {
        const busy = (world().instances.get(instance.id)?.session?.inFlight ?? 0) > 0 || isHeld(instance.id);
        if (!busy && lastUsed < before) end(instance);
      }
    },
  };
}

const NOTHING: CapabilityClass = { key: '', capabilities: {} };

/** Id of the instance that a view shows; undefined for the first connection of a backend. */
export const instanceIdOf = (view: BackendView): string | undefined => ('instance' in view ? (view.instance as Instance).id : undefined);

const tooMany = (server: string, limit: number) =>
  new OnemcpError(
    'busy',
    `"${server}" has ${limit} connections for single clients, the limit of instance.max; try again when another client has left`,
    {
      server,
      reason: 'too-many-instances',
      retryable: true,
    },
  );
