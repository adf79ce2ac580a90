import type { BackendSpec } from '../config/config.ts';
import { OnemcpError } from '../errors.ts';
import { watchIdleness } from '../io/idleness.ts';
import { shown } from '../io/lines.ts';
import { type MemoryOf, watchMemory } from '../io/memory.ts';
import { watchPulse } from '../io/pulse.ts';
import type { Limits } from '../limits.ts';
import type { BackendEvent } from '../machines/backend.ts';
import { afterFailure, type Fetched, fetchItems } from '../mcp/catalog.ts';
import { type BackendSession, type Items, KINDS, type Kind } from '../world.ts';

export interface LiveInput {
  readonly spec: BackendSpec;
  readonly session: BackendSession;
  readonly items: Items;
  readonly notes: readonly string[];
}

export interface LiveDeps {
  readonly limits: Limits;
  /** Takes secrets out of what the backend says. */
  readonly redact: (text: string) => string;
  readonly memoryOf: MemoryOf;
  /** Whether clients wait for what the backend of this name may say, subscribed to its resources. */
  readonly isHeld: (name: string) => boolean;
}

/** The watching of a connected session. */
export interface Live {
  /** Options changed that restart nothing. */
  retag(spec: BackendSpec): void;
  end(): void;
}

type Send = (event: BackendEvent) => void;

/**
 * Watches a session whose lists nobody needs: its end, and a backend that is dead or takes too much memory, which become
 * CLOSED and RECYCLE. Nothing hibernates: whoever keeps such connections ends them.
 */
export function watchInstance({ spec, session }: Pick<LiveInput, 'spec' | 'session'>, deps: LiveDeps, send: Send): Live {
  const { limits, memoryOf } = deps;
  const { name } = spec;
  const unsubscribe = session.subscribe((event) => {
    if (event.type === 'closed') send({ type: 'CLOSED', error: event.error });
  });
  const endPulse = watchPulse(session, { name, limits, onDead: (error) => send({ type: 'CLOSED', error, kill: true }) });
  const memory = watchMemory({
    pid: session.pid,
    maxMemory: maxMemoryOf(spec),
    interval: limits['memory.interval'],
    memoryOf,
    onExceeded: (bytes, limit) => send({ type: 'RECYCLE', error: memoryExceeded(name, bytes, limit) }),
  });
  return {
    retag: (changed) => memory.set(maxMemoryOf(changed)),
    end() {
      unsubscribe();
      endPulse();
      memory.end();
    },
  };
}

const maxMemoryOf = (spec: BackendSpec): number => (spec.kind === 'stdio' ? spec.maxMemory : 0);

const mebibytes = (bytes: number): number => Math.round(bytes / 1024 ** 2);

const memoryExceeded = (server: string, bytes: number, limitBytes: number) =>
  new OnemcpError(
    'memory_exceeded',
    `"${server}" takes ${mebibytes(bytes)} MiB of memory, which is more than ${mebibytes(limitBytes)} MiB (maxMemory); it is replaced`,
    { server, reason: 'memory-exceeded', retryable: true, bytes, limitBytes },
  );

/** What a `list_changed` of a kind makes stale. */
const STALE: Readonly<Record<'tools' | 'prompts' | 'resources', readonly Kind[]>> = {
  tools: ['tools'],
  prompts: ['prompts'],
  resources: ['resources', 'templates'],
};

/**
 * Watches a connected session as `watchInstance` does; besides, changed lists become ITEMS, and a backend that nothing
 * needs HIBERNATE.
 */
export function watchSession(input: LiveInput, deps: LiveDeps, send: Send): Live {
  const { spec, session } = input;
  const { name } = spec;
  const instance = watchInstance(input, deps, send);
  const endRefreshing = refreshLists(input, deps, send);
  const idleness = watchIdleness(session, {
    idleTimeout: spec.idleTimeout,
    isHeld: () => deps.isHeld(name),
    onIdle: () => send({ type: 'HIBERNATE' }),
  });
  return {
    retag(changed) {
      instance.retag(changed);
      idleness.set(changed.idleTimeout);
    },
    end() {
      instance.end();
      endRefreshing();
      idleness.end();
    },
  };
}

/** Refreshes in a row that may bring nothing new before the next ones wait longer and longer. */
const FRUITLESS = 3;
const LONGEST_WAIT_MS = 30_000;

/**
 * At most one refresh runs at a time, at most one per `refresh.interval`, and a change during a refresh causes exactly one
 * more. A backend that keeps announcing changes it has not made is asked less and less often.
 * @returns the end of it
 */
function refreshLists({ spec, session, ...known }: LiveInput, { limits, redact }: LiveDeps, send: Send): () => void {
  const { name } = spec;
  const stale = new Set<Kind>();
  const ended = new AbortController();
  let current: Fetched = known;
  let running = false;
  let last = Number.NEGATIVE_INFINITY;
  let fruitless = 0;
  let timer: NodeJS.Timeout | undefined;

  const interval = () => limits['refresh.interval'] * 2 ** Math.min(Math.max(0, fruitless - FRUITLESS), 16);

  const schedule = () => {
    if (running || timer || stale.size === 0 || ended.signal.aborted) return;
    const wait = Math.max(0, last + Math.min(interval(), LONGEST_WAIT_MS) - performance.now());
    timer = setTimeout(() => {
      timer = undefined;
      void refresh();
    }, wait);
  };

  const refresh = async () => {
    const kinds = [...stale];
    const before = current.items;
    stale.clear();
    running = true;
    // What was quiet for long is no storm.
    if (performance.now() - last > 2 * LONGEST_WAIT_MS) fruitless = 0;
    last = performance.now();
    try {
      const { items: previous, notes: previousNotes } = current;
      const ways = { limits, redact: shown(redact), hide: redact };
      current = await fetchItems(session, { name, ...ways, kinds, previous, previousNotes, signal: ended.signal });
    } catch (error) {
      // The old lists stay; a session that is gone says so itself.
      current = afterFailure(current, kinds, error as Error);
    }
    fruitless = kinds.every((kind) => current.items[kind] === before[kind]) ? fruitless + 1 : 0;
    if (!ended.signal.aborted) send({ type: 'ITEMS', ...current });
    running = false;
    schedule();
  };

  const unsubscribe = session.subscribe((event) => {
    if (event.type === 'listChanged') for (const kind of STALE[event.kind]) stale.add(kind);
    else if (event.type === 'reset') for (const kind of KINDS) stale.add(kind);
    schedule();
  });

  return () => {
    ended.abort();
    clearTimeout(timer);
    unsubscribe();
  };
}
