import type { Limits } from '../limits.ts';
import type { BackendEvent } from '../machines/backend.ts';
import { afterFailure, type Fetched, fetchItems } from '../mcp/catalog.ts';
import { type BackendSession, type Items, KINDS, type Kind } from '../world.ts';

export interface LiveInput {
  readonly name: string;
  readonly session: BackendSession;
  readonly items: Items;
  readonly notes: readonly string[];
  /** Takes secrets out of what the backend says. */
  readonly redact?: (text: string) => string;
}

/**
 * Watches a session whose lists nobody needs: only its end counts.
 * @returns the end of the watching
 */
export function watchEnd(session: BackendSession, send: (event: BackendEvent) => void): () => void {
  return session.subscribe((event) => {
    if (event.type === 'closed') send({ type: 'CLOSED', error: event.error });
  });
}

/** What a `list_changed` of a kind makes stale. */
const STALE: Readonly<Record<'tools' | 'prompts' | 'resources', readonly Kind[]>> = {
  tools: ['tools'],
  prompts: ['prompts'],
  resources: ['resources', 'templates'],
};

/**
 * Watches a connected session: its end becomes CLOSED, changed lists become ITEMS. At most one refresh runs at a time, at
 * most one per `refresh.interval`, and a change during a refresh causes exactly one more.
 * @returns the end of the watching
 */
export function watchSession(
  { name, session, redact = (text) => text, ...known }: LiveInput,
  limits: Limits,
  send: (event: BackendEvent) => void,
): () => void {
  const stale = new Set<Kind>();
  const ended = new AbortController();
  let current: Fetched = known;
  let running = false;
  let last = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const schedule = () => {
    if (running || timer || stale.size === 0 || ended.signal.aborted) return;
    const wait = Math.max(0, last + limits['refresh.interval'] - performance.now());
    timer = setTimeout(() => {
      timer = undefined;
      void refresh();
    }, wait);
  };

  const refresh = async () => {
    const kinds = [...stale];
    stale.clear();
    running = true;
    last = performance.now();
    try {
      const { items: previous, notes: previousNotes } = current;
      current = await fetchItems(session, { name, limits, kinds, previous, previousNotes, redact, signal: ended.signal });
    } catch (error) {
      // The old lists stay; a session that is gone says so itself.
      current = afterFailure(current, kinds, error as Error);
    }
    if (!ended.signal.aborted) send({ type: 'ITEMS', ...current });
    running = false;
    schedule();
  };

  const unsubscribe = session.subscribe((event) => {
    if (event.type === 'closed') send({ type: 'CLOSED', error: event.error });
    else if (event.type === 'listChanged') for (const kind of STALE[event.kind]) stale.add(kind);
    else if (event.type === 'reset') for (const kind of KINDS) stale.add(kind);
    schedule();
  });

  return () => {
    ended.abort();
    clearTimeout(timer);
    unsubscribe();
  };
}
