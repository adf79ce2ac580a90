import type { BackendSession, BackendView, World } from '../world.ts';
import type { Client } from './client.ts';
import type { Connections } from './connections.ts';

/** Severities of RFC 5424, most verbose first. MCP server/utilities/logging. */
export const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** From which severity on log messages of backends are passed on: each client's own, the most verbose one to a backend. */
export interface Levels {
  /** Backends that are being told a level; a call must not overtake it. */
  readonly applying: ReadonlyMap<BackendSession, Promise<void>>;
  set(client: Client, level: LogLevel): void;
  /** A client has gone: what it alone wanted is wanted no longer. */
  drop(client: Client): void;
  /** A connection is new, or its backend has forgotten everything. */
  connected(session: BackendSession, view: BackendView): void;
  passes(client: Client, level: unknown): boolean;
}

export interface LevelsOptions {
  readonly world: () => World;
  readonly clients: ReadonlySet<Client>;
  readonly connections: Pick<Connections, 'isOf'>;
  /** A backend did not take the level. */
  readonly onFailure: (view: BackendView, error: Error) => void;
}

const rank = (level: unknown): number => LOG_LEVELS.indexOf(level as LogLevel);

export function createLevels({ world, clients, connections, onFailure }: LevelsOptions): Levels {
  const applying = new Map<BackendSession, Promise<void>>();
  const told = new WeakMap<BackendSession, LogLevel>();
  /** Clients that asked for a level; others hear `info` and above as soon as there are any. */
  let choosers = 0;

  const wanted = (view: BackendView): LogLevel | undefined => {
    let lowest: number = LOG_LEVELS.length;
    for (const client of clients) {
      if (client.level !== undefined && connections.isOf(client, view)) lowest = Math.min(lowest, rank(client.level));
    }
    return (LOG_LEVELS as readonly LogLevel[])[lowest];
  };

  const apply = (session: BackendSession, view: BackendView) => {
    if (session.info.capabilities.logging === undefined) return;
    const level = wanted(view);
    if (level === undefined || told.get(session) === level) return;
    told.set(session, level);
    const done = session
      .request('logging/setLevel', { level })
      .then(
        () => {},
        (error: Error) => onFailure(view, error),
      )
      .finally(() => {
        if (applying.get(session) === done) applying.delete(session);
      });
    applying.set(session, done);
  };

  const applyAll = () => {
    const { backends, instances } = world();
    for (const view of backends.values()) if (view.session) apply(view.session, view);
    for (const view of instances.values()) if (view.session) apply(view.session, view);
  };

  return {
    applying,
    set(client, level) {
      if (client.level === undefined) choosers++;
      client.level = level;
      applyAll();
    },
    drop(client) {
      if (client.level === undefined) return;
      choosers--;
      applyAll();
    },
    connected(session, view) {
      told.delete(session);
      apply(session, view);
    },
    passes: (client, level) => {
      const least = client.level ?? (choosers > 0 ? 'info' : 'debug');
      return rank(level) < 0 || rank(level) >= rank(least);
    },
  };
}
