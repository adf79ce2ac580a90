import { OnemcpError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Limits } from '../limits.ts';
import type { BackendSession, BackendView, Json } from '../world.ts';
import type { Client } from './client.ts';
import { instanceIdOf } from './connections.ts';

/** A resource on a connection to its backend. */
export interface Subscribed {
  readonly session: BackendSession;
  /** Id of the instance, or name of the backend. */
  readonly connection: string;
  /** What the backend calls it. */
  readonly uri: string;
}

/**
 * Who is subscribed to which resource: the backend is told of the first subscriber and of the last one that leaves, and
 * again after it was away. MCP server/resources §Subscriptions.
 */
export interface Subscriptions {
  /**
   * @param exposed the URI the client knows the resource by
   * @throws WireError the backend refused; OnemcpError `busy` at the limit, `invalid_params` if the backend has no subscriptions
   */
  add(client: Client, exposed: string, resource: Subscribed): Promise<void>;
  remove(client: Client, connection: string, uri: string): Promise<void>;
  /** A backend says that a resource, or one below it, has changed. */
  updated(view: BackendView, params: Json): void;
  /** A connection is new, or its backend has forgotten everything. */
  connected(session: BackendSession, view: BackendView): void;
  /** Whether anybody is subscribed to something on a connection. */
  isHeld(connection: string): boolean;
  drop(client: Client): void;
}

export interface SubscriptionsOptions {
  readonly limits: Limits;
  /** The exposed form of a URI of a backend. */
  readonly expose: (backend: string, uri: string) => string;
  /** The session that a connection has now. */
  readonly sessionOf: (connection: string) => BackendSession | undefined;
  /** A backend did not do what it should. */
  readonly onFailure: (connection: string, error: Error) => void;
}

interface Topic {
  /** The URI that each subscriber knows it by. */
  readonly holders: Map<Client, string>;
  /** The session that was told of it. */
  session: BackendSession | undefined;
  /** What is said to the backend about it, one after the other. */
  tail: Promise<unknown>;
}

export function createSubscriptions({ limits, expose, sessionOf, onFailure }: SubscriptionsOptions): Subscriptions {
  const topics = new Map<string, Map<string, Topic>>();
  const counts = new Map<Client, number>();

  const topicOf = (connection: string, uri: string): Topic => {
    const byUri = topics.get(connection) ?? new Map<string, Topic>();
    topics.set(connection, byUri);
    const topic = byUri.get(uri) ?? { holders: new Map(), session: undefined, tail: Promise.resolve() };
    byUri.set(uri, topic);
    return topic;
  };

  /** After everything said before; a failure is the caller's alone. */
  const inTurn = <T>(topic: Topic, step: () => Promise<T>): Promise<T> => {
    const turn = topic.tail.then(step);
    topic.tail = turn.catch(() => {});
    return turn;
  };

  const count = (client: Client, by: number) => {
    const next = (counts.get(client) ?? 0) + by;
    if (next > 0) counts.set(client, next);
    else counts.delete(client);
  };

  const leave = (topic: Topic, client: Client) => {
    if (topic.holders.delete(client)) count(client, -1);
  };

  /** Removes a topic that nobody holds and nobody is busy with. */
  const tidy = (connection: string, uri: string, topic: Topic) => {
    const byUri = topics.get(connection);
    if (topic.holders.size > 0 || byUri?.get(uri) !== topic) return;
    byUri.delete(uri);
    if (byUri.size === 0) topics.delete(connection);
  };

  /** Tells the backend that nobody is left, if that is still so when its turn comes. */
  const settle = async (connection: string, uri: string, topic: Topic): Promise<void> => {
    await inTurn(topic, async () => {
      if (topic.holders.size > 0) return;
      const { session } = topic;
      topic.session = undefined;
      if (session && session === sessionOf(connection)) {
        await session.request('resources/unsubscribe', { uri }).catch((error: Error) => onFailure(connection, error));
      }
      if (topic.holders.size === 0 && topic.session === undefined) tidy(connection, uri, topic);
    });
  };

  const announce = (client: Client, uri: string, params: Json = {}) =>
    client.send({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { ...params, uri } });

  return {
    async add(client, exposed, { session, connection, uri }) {
      const { resources } = session.info.capabilities;
      if (!isObject(resources) || resources.subscribe !== true) throw cannotSubscribe(connection);
      const limit = limits['session.maxSubscriptions'];
      const topic = topicOf(connection, uri);
      if (topic.holders.has(client)) return;
      if ((counts.get(client) ?? 0) >= limit) {
        tidy(connection, uri, topic);
        throw tooMany(limit);
      }
      topic.holders.set(client, exposed);
      count(client, 1);
      await inTurn(topic, async () => {
        if (topic.session === session || !topic.holders.has(client)) return;
        try {
          await session.request('resources/subscribe', { uri });
          topic.session = session;
        } catch (error) {
          leave(topic, client);
          tidy(connection, uri, topic);
          throw error;
        }
      });
      // It left while the backend was being told.
      if (topic.holders.size === 0) await settle(connection, uri, topic);
    },

    async remove(client, connection, uri) {
      const topic = topics.get(connection)?.get(uri);
      if (!topic) return;
      leave(topic, client);
      if (topic.holders.size === 0) await settle(connection, uri, topic);
    },

    updated(view, params) {
      const { uri } = params;
      const byUri = topics.get(instanceIdOf(view) ?? view.name);
      if (!byUri || typeof uri !== 'string') return;
      const exposed = () => expose(view.name, uri);
      /** One update reaches a client once, even if it holds both the resource and one above it. */
      const told = new Set<Client>();
      for (const [client, known] of byUri.get(uri)?.holders ?? []) {
        told.add(client);
        announce(client, known, params);
      }
      for (const [held, { holders }] of byUri) {
        if (held === uri || !isWithin(uri, held)) continue;
        for (const client of holders.keys()) {
          if (told.has(client)) continue;
          told.add(client);
          announce(client, exposed(), params);
        }
      }
    },

    connected(session, view) {
      const connection = instanceIdOf(view) ?? view.name;
      for (const [uri, topic] of topics.get(connection) ?? []) {
        void inTurn(topic, async () => {
          if (topic.holders.size === 0) return;
          await session.request('resources/subscribe', { uri });
          topic.session = session;
          // What changed meanwhile was missed.
          for (const [client, known] of topic.holders) announce(client, known);
        }).catch((error: Error) => onFailure(connection, error));
      }
    },

    isHeld: (connection) => topics.has(connection),

    drop(client) {
      if (!counts.has(client)) return;
      for (const [connection, byUri] of topics) {
        for (const [uri, topic] of byUri) {
          if (!topic.holders.has(client)) continue;
          leave(topic, client);
          if (topic.holders.size === 0) void settle(connection, uri, topic);
        }
      }
    },
  };
}

/** Whether a URI is that of a resource below another one. */
const isWithin = (uri: string, parent: string): boolean => uri.startsWith(parent.endsWith('/') ? parent : `${parent}/`);

const cannotSubscribe = (server: string) =>
  new OnemcpError('backend_unavailable', `"${server}" does not offer subscriptions to its resources`, {
    server,
    reason: 'subscribe-unsupported',
    retryable: false,
  });

const tooMany = (limit: number) =>
  new OnemcpError('busy', `this session is subscribed to ${limit} resources, which is the limit of session.maxSubscriptions`, {
    retryable: true,
  });
