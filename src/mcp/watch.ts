import type { BackendSession, BackendView, Json, World } from '../world.ts';
import type { Elicitations } from './elicitations.ts';
import type { Levels } from './levels.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface WatchOptions {
  readonly world: () => World;
  readonly onChange: (listener: () => void) => () => void;
  readonly subscriptions: Subscriptions;
  readonly levels: Levels;
  readonly elicitations: Elicitations;
  /** A notification that is for nobody in particular. */
  readonly onUnclaimed: (view: BackendView, method: string, params: Json) => void;
}

/**
 * Listens to every connection as soon as it is there: what backends say to nobody's request goes to those who wait for
 * it, and a connection that is new is told what its clients have set. Returns the end of the listening.
 */
export function watchConnections({ world, onChange, subscriptions, levels, elicitations, onUnclaimed }: WatchOptions): () => void {
  const known = new WeakSet<BackendSession>();

  const onNotification = (view: BackendView, method: string, params: Json) => {
    if (method === 'notifications/resources/updated') subscriptions.updated(view, params);
    else if (method === 'notifications/elicitation/complete') elicitations.complete(view.name, params);
    else onUnclaimed(view, method, params);
  };

  const greet = (session: BackendSession, view: BackendView) => {
    levels.connected(session, view);
    subscriptions.connected(session, view);
  };

  const look = (view: BackendView) => {
    const { session } = view;
    if (!session || known.has(session)) return;
    known.add(session);
    session.subscribe((event) => {
      if (event.type === 'notification') onNotification(view, event.method, event.params);
      else if (event.type === 'reset') greet(session, view);
    });
    greet(session, view);
  };

  return onChange(() => {
    const { backends, instances } = world();
    for (const view of backends.values()) look(view);
    for (const view of instances.values()) look(view);
  });
}
