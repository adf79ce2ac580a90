import { randomBytes } from 'node:crypto';
import { OnemcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Connection } from '../mcp/connection.ts';
import type { ListKind, Opening, Session } from '../mcp/session.ts';
import type { Json, JsonRpcMessage, Phase } from '../world.ts';
import { STREAM_BYTES } from './eventStore.ts';
import { createReplayBudget } from './replayBudget.ts';
import { createSessionStreams, type SessionStreams } from './sessionStreams.ts';
import type { Streams } from './streams.ts';

/** A session of Streamable HTTP. */
export interface HttpSession {
  readonly id: string;
  readonly session: Session;
  /** Its event streams, made when first needed. */
  readonly streams: () => SessionStreams;
}

/** A session of HTTP+SSE: it lives as long as its one event stream. */
export interface StreamSession {
  readonly connection: Connection;
  /** Ends the stream, and with it the session. */
  readonly end: () => void;
}

/** All clients that come in over HTTP. */
export interface Sessions {
  readonly size: number;
  /** Why there can be no new session; undefined if there can. */
  refusal(phase: Phase): OnemcpError | undefined;
  /** Registers a conversation; `create` gets the sender of messages that belong to no request. */
  add(create: (send: (message: JsonRpcMessage) => boolean) => Opening): { readonly id: string; readonly opening: Json };
  get(id: string): HttpSession | undefined;
  remove(id: string): boolean;
  /** Registers a session of HTTP+SSE under the id it gets. */
  addStream(create: (id: string) => StreamSession): void;
  getStream(id: string): StreamSession | undefined;
  /** Called when the stream has ended. */
  removeStream(id: string): void;
  announce(kinds: ReadonlySet<ListKind>): void;
  /** Ends sessions that are idle or too old, never one with requests in flight, and forgets events that are too old. */
  sweep(): void;
  closeAll(): void;
}

export interface SessionsOptions {
  readonly limits: Limits;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly streams: Streams;
}

interface Entry extends HttpSession {
  opened: SessionStreams | undefined;
  /** When the last connection of streams that are forgotten was lost. */
  lastOpen: number;
}

interface StreamEntry extends StreamSession {
  readonly createdAt: number;
}

/** 32 random bytes: bound to nothing, so never a proof of anything. OWASP ASVS 7.2.3. */
const sessionId = (): string => randomBytes(32).toString('base64url');
/** Milliseconds between two sweeps that are made only to find room. */
const NEXT_SWEEP = 1_000;

export function createSessions({ limits, now, streams }: SessionsOptions): Sessions {
  const sessions = new Map<string, Entry>();
  const streamSessions = new Map<string, StreamEntry>();
  const budget = createReplayBudget(limits['sse.replayTotalBytes'], STREAM_BYTES);
  let sweptAt = Number.NEGATIVE_INFINITY;

  const end = (entry: Entry) => {
    sessions.delete(entry.id);
    entry.session.close();
    entry.opened?.close();
  };
  const isOld = (createdAt: number, at: number) => at - createdAt > limits['session.absolute'];
  const isOver = ({ session, opened, lastOpen }: Entry, at: number): boolean => {
    if (session.inFlight > 0) return false;
    if (isOld(session.createdAt, at)) return true;
    return at - Math.max(session.lastUsed, lastOpen, opened?.lastOpen ?? 0) > limits['session.idle'] && !opened?.isOpen;
  };
  /** The idle time does not count while the stream is open, and without the stream there is no session. */
  const isStreamOver = ({ connection, createdAt }: StreamEntry, at: number): boolean =>
    isOld(createdAt, at) && !connection.session?.inFlight;
  const tidy = (entry: Entry) => {
    entry.opened?.sweep();
    if (!entry.opened?.isEmpty) return;
    entry.lastOpen = entry.opened.lastOpen;
    entry.opened = undefined;
  };
  const size = () => sessions.size + streamSessions.size;

  const sweep = () => {
    sweptAt = now();
    for (const entry of sessions.values()) {
      if (isOver(entry, sweptAt)) end(entry);
      else tidy(entry);
    }
    for (const entry of streamSessions.values()) if (isStreamOver(entry, sweptAt)) entry.end();
  };

  return {
    get size() {
      return size();
    },

    refusal(phase) {
      if (phase !== 'running' && phase !== 'booting') {
        return new OnemcpError('draining', 'the gateway is shutting down and takes no new sessions', { retryable: true });
      }
      const limit = limits['session.max'];
      if (size() >= limit && now() - sweptAt >= NEXT_SWEEP) sweep();
      return size() < limit ? undefined : new OnemcpError('busy', `there are ${limit} sessions, which is the limit`, { retryable: true });
    },

    add(create) {
      const { session, opening } = create((message) => entry.streams().send(message));
      const entry: Entry = {
        id: sessionId(),
        session,
        opened: undefined,
        lastOpen: 0,
        streams() {
          entry.opened ??= createSessionStreams({ limits, now, streams, budget, protocolVersion: session.protocolVersion });
          return entry.opened;
        },
      };
      sessions.set(entry.id, entry);
      return { id: entry.id, opening };
    },
    get(id) {
      const entry = sessions.get(id);
      if (!entry || !isOver(entry, now())) return entry;
      end(entry);
      return undefined;
    },
    remove(id) {
      const entry = sessions.get(id);
      if (entry) end(entry);
      return entry !== undefined;
    },

    addStream(create) {
      const id = sessionId();
      streamSessions.set(id, { ...create(id), createdAt: now() });
    },
    getStream(id) {
      const entry = streamSessions.get(id);
      if (!entry || !isStreamOver(entry, now())) return entry;
      entry.end();
      return undefined;
    },
    removeStream: (id) => void streamSessions.delete(id),

    announce(kinds) {
      for (const { session } of sessions.values()) session.announce(kinds);
      for (const { connection } of streamSessions.values()) connection.session?.announce(kinds);
    },
    sweep,
    closeAll() {
      for (const entry of [...sessions.values()]) end(entry);
      for (const { end } of [...streamSessions.values()]) end();
    },
  };
}
