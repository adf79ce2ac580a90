import { createInspector } from '@statelyai/inspect';
import type { InspectionEvent, Observer } from 'xstate';
import { asOnemcpError } from '../errors.ts';
import { type BackendSession, type Instance, type Items, KINDS, type World } from '../world.ts';

export interface InspectionOptions {
  /** `stately` adds a bridge page to the hosted Stately inspector. */
  readonly mode: 'page' | 'stately';
  /** Events kept for a page that opens later. */
  readonly history: number;
  /** Whoever shows it may see everything. */
  readonly token: string;
  /** Takes secret values out of a text. */
  readonly redact: (text: string) => string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * What the machines do, as messages in Stately's inspection protocol, between two of our own: `@onemcp.hello` begins a
 * history and forgets all that was before, `@onemcp.live` ends it.
 *
 * Invariant: a message holds names, states, event types and counts; never arguments, environment, addresses, headers, results.
 */
export interface Inspection {
  /** For `createActor(…, { inspect })`. */
  readonly observer: Observer<InspectionEvent>;
  readonly mode: 'page' | 'stately';
  readonly token: string;
  /** Where the page is, token included: append it to the URL of the gateway. */
  readonly path: string;
  /** The history, oldest first; what happens later comes to `listener`. Every message is one JSON text. */
  subscribe(listener: (message: string) => void): { readonly history: readonly string[]; readonly unsubscribe: () => void };
}

/** Milliseconds for which an ended actor is still shown, and how many of them at most. */
const ENDED_KEPT = 30_000;
const ENDED_MOST = 200;
const ERROR_TEXT = 500;
/** Milliseconds that the last snapshot of a failed actor may take. */
const LAST_SNAPSHOT = 20;

/** A message to the page: every event of the protocol has these. */
interface Message {
  readonly type: string;
  readonly sessionId: string;
  readonly parentId?: string | undefined;
  readonly sourceId?: string | undefined;
  readonly name?: string;
  readonly definition?: string | undefined;
  readonly event?: { readonly type: string };
  readonly snapshot?: Shown;
}

/** The part of a snapshot that may be shown. */
interface Shown {
  readonly status: string;
  readonly value?: unknown;
  readonly tags?: readonly string[];
  readonly context: object;
}

/** An actor that a page must hear of, however long ago it began. */
interface Known {
  readonly registration: Message;
  /** Its name, behind the one of the actor that invoked it: `web#0/open`. */
  readonly label: string;
  snapshot: Shown;
  endedAt: number | undefined;
}

/** Watches every actor of the system whose observer it is. */
export function createInspection({ mode, history, token, redact, now = Date.now }: InspectionOptions): Inspection {
  const known = new Map<string, Known>();
  const ring: string[] = [];
  const listeners = new Set<(message: string) => void>();
  const definitions = new Map<string, string>();
  const definitionOf = createDefinitionOf();
  let count = 0;

  const forgetEnded = () => {
    const ended = [...known].filter(([, { endedAt }]) => endedAt !== undefined);
    ended.forEach(([id, { endedAt }], index) => {
      if (index < ended.length - ENDED_MOST || now() - (endedAt as number) >= ENDED_KEPT) known.delete(id);
    });
  };

  const publish = (message: Message) => {
    const text = JSON.stringify({ ...message, id: String(++count), createdAt: String(now()), actor: known.get(message.sessionId)?.label });
    // Registrations are kept with their actors, so that no overflow loses one.
    if (message.type !== '@xstate.actor') {
      ring.push(text);
      if (ring.length > history) ring.shift();
    }
    for (const listener of listeners) listener(text);
  };

  const shows = (id: string, snapshot: Shown) => {
    const actor = known.get(id);
    if (!actor) return;
    actor.snapshot = snapshot;
    if (snapshot.status !== 'active') actor.endedAt ??= now();
  };

  const take = (taken: Message) => {
    const { type, sessionId, snapshot } = taken;
    const message = type === '@xstate.actor' ? { ...taken, definition: definitions.get(sessionId) ?? taken.definition } : taken;
    if (type === '@xstate.actor' && snapshot) {
      definitions.delete(sessionId);
      forgetEnded();
      const above = message.parentId === undefined ? undefined : known.get(message.parentId);
      const label = above?.registration.parentId === undefined ? String(message.name) : `${above.label}/${message.name}`;
      known.set(sessionId, { registration: message, label, snapshot, endedAt: undefined });
    }
    if (snapshot) shows(sessionId, snapshot);
    publish(message);
    if (message.sourceId !== undefined && message.event?.type.startsWith('xstate.error.actor.')) {
      const { sourceId, event } = message;
      setTimeout(() => quietly(() => failed(sourceId, event)), LAST_SNAPSHOT).unref();
    }
  };

  /** An actor that threw emits no snapshot of its own; one whose promise was rejected does, a moment later. */
  const failed = (sessionId: string, event: { readonly type: string }) => {
    const actor = known.get(sessionId);
    if (!actor || actor.endedAt !== undefined) return;
    const snapshot = { ...actor.snapshot, status: 'error' };
    shows(sessionId, snapshot);
    publish({ type: '@xstate.snapshot', sessionId, event, snapshot });
  };

  const inspector = createInspector({ send: (message) => quietly(() => take(message as unknown as Message)) });

  return {
    observer: {
      next: (event) =>
        quietly(() => {
          const reduced = withoutData(event, redact);
          if (!reduced) return;
          if (event.type === '@xstate.actor') {
            const { sessionId, logic } = event.actorRef as unknown as Actor;
            const definition = definitionOf(logic?.config);
            if (definition !== undefined) definitions.set(sessionId, definition);
          }
          inspector.inspect.next?.(reduced);
        }),
    },
    mode,
    token,
    path: `/inspect${mode === 'stately' ? '/stately' : ''}?token=${token}`,
    subscribe(listener) {
      forgetEnded();
      listeners.add(listener);
      const registrations = [...known.values()].map(({ registration, snapshot, endedAt }) =>
        JSON.stringify({ ...registration, snapshot, endedAt }),
      );
      const hello = JSON.stringify({ type: '@onemcp.hello', now: now(), endedKept: ENDED_KEPT, mode });
      return {
        history: [hello, ...registrations, ...ring, JSON.stringify({ type: '@onemcp.live' })],
        unsubscribe: () => void listeners.delete(listener),
      };
    },
  };
}

/** Inspection must never disturb what it inspects: an error here would be thrown into an actor, or end the process. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // An event that cannot be shown is not shown.
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/**
 * The definition of a machine as JSON, its states in the order they were written in (the inspector sorts them); undefined
 * for other logic. One text for all actors of one machine.
 */
function createDefinitionOf(): (config: unknown) => string | undefined {
  const texts = new WeakMap<object, string>();
  return (config) => {
    if (!isObject(config)) return undefined;
    const text = texts.get(config) ?? JSON.stringify(config, (_, value) => (typeof value === 'function' ? { type: value.name } : value));
    texts.set(config, text);
    return text;
  };
}

/** What of an actor is looked at. */
interface Actor {
  readonly id: string;
  readonly sessionId: string;
  readonly src?: unknown;
  readonly logic?: { readonly config?: unknown };
  readonly _parent?: { readonly sessionId: string };
  getSnapshot(): unknown;
}

/**
 * An inspection event without its data. It is taken out here rather than by `sanitizeContext`, because the inspector
 * serialises whole snapshots before it calls that: megabytes of tools, with every Map already lost.
 */
function withoutData(event: InspectionEvent, redact: (text: string) => string): InspectionEvent | undefined {
  if (event.type !== '@xstate.actor' && event.type !== '@xstate.event' && event.type !== '@xstate.snapshot') return undefined;
  const actorRef = plainActor(event.actorRef as unknown as Actor, redact);
  const { rootId } = event;
  if (event.type === '@xstate.actor') return { type: event.type, rootId, actorRef } as unknown as InspectionEvent;
  const message = { type: event.event.type };
  if (event.type === '@xstate.snapshot') {
    return { type: event.type, rootId, actorRef, event: message, snapshot: shown(event.snapshot, redact) } as unknown as InspectionEvent;
  }
  const source = event.sourceRef && { sessionId: (event.sourceRef as unknown as Actor).sessionId };
  return { type: event.type, rootId, actorRef, sourceRef: source, event: message } as unknown as InspectionEvent;
}

const plainActor = (actor: Actor, redact: (text: string) => string) => ({
  // Invoked actors have generated ids such as `0.backend.starting`.
  id: typeof actor.src === 'string' && /^\d+\./.test(actor.id) ? actor.src : actor.id,
  sessionId: actor.sessionId,
  logic: { config: isObject(actor.logic?.config) && { id: (actor.logic.config as { id?: unknown }).id } },
  _parent: actor._parent && { sessionId: actor._parent.sessionId },
  // Asked for later, when the actor has one, from a timer in which an error would end the process.
  getSnapshot: () => {
    let snapshot: Shown = { status: 'active', context: {} };
    quietly(() => {
      snapshot = shown(actor.getSnapshot(), redact);
    });
    return snapshot;
  },
});

function shown(snapshot: unknown, redact: (text: string) => string): Shown {
  const { status, value, tags, context } = (snapshot ?? {}) as { status?: string; value?: unknown; tags?: Set<string>; context?: unknown };
  let reduced = {};
  quietly(() => {
    reduced = shownContext(context, redact);
  });
  return { status: status ?? 'active', ...(value !== undefined && { value }), ...(tags && { tags: [...tags] }), context: reduced };
}

/** What of a backend's context is looked at; the machines themselves are none of our business. */
interface BackendContext {
  readonly spec: { readonly name: string; readonly kind: string; readonly tags: readonly string[] };
  readonly instance?: Instance | undefined;
  readonly items: Items;
  readonly session: BackendSession | undefined;
  readonly lastError: unknown;
}

interface RootContext {
  readonly world: World;
  readonly alive: unknown;
  readonly waiting: readonly string[];
  readonly launching: readonly string[];
}

const FACTS = ['generation', 'since', 'failures', 'connects', 'retryDelay', 'retryAt', 'settled'] as const;

/** A context, reduced to what may be shown: nothing, unless it is the one of a backend or of the root. */
function shownContext(context: unknown, redact: (text: string) => string): object {
  if (!isObject(context)) return {};
  if ('world' in context && 'alive' in context) {
    const { world, waiting, launching } = context as RootContext;
    const backends = Object.fromEntries([...world.backends].map(([name, { state }]) => [name, state]));
    const instances = Object.fromEntries([...world.instances].map(([id, { state }]) => [id, state]));
    return { phase: world.phase, backends, ...(world.instances.size > 0 && { instances }), waiting, launching };
  }
  if (!('spec' in context && 'items' in context)) return {};
  const { spec, instance, items, session, lastError } = context as BackendContext;
  return {
    name: instance?.id ?? spec.name,
    ...(instance && { instanceOf: spec.name }),
    kind: spec.kind,
    tags: spec.tags,
    ...Object.fromEntries(FACTS.map((fact) => [fact, (context as Record<string, unknown>)[fact]])),
    items: Object.fromEntries(KINDS.map((kind) => [kind, items[kind].length])),
    pid: session?.pid,
    ...(lastError !== undefined && { lastError: shownError(lastError, redact) }),
  };
}

function shownError(error: unknown, redact: (text: string) => string): { code: string; message: string } {
  const { code, message } = asOnemcpError(error);
  return { code, message: withoutUrls(redact(message)).slice(0, ERROR_TEXT) };
}

/** An address may carry a credential that nobody declared as one: only its scheme stays. */
const withoutUrls = (text: string): string => text.replace(/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>]+/gi, '$1…');
