import { randomBytes } from 'node:crypto';
import type { Limits } from '../limits.ts';
import type { ListKind, Opening, Session } from '../mcp/session.ts';
import type { Json, JsonRpcMessage } from '../world.ts';
import type { EventStream } from './sse.ts';

/** A session of Streamable HTTP: the conversation, and the stream for what belongs to no request. */
export interface HttpSession {
  readonly id: string;
  readonly session: Session;
  /** The newest `GET` stream. */
  stream: EventStream | undefined;
  /** Notifications for a stream that is not open yet, one a method. */
  readonly waiting: Map<string, string>;
}

export interface Sessions {
  readonly size: number;
  /** Registers a conversation; `create` gets the sender of messages that belong to no request. */
  add(create: (send: (message: JsonRpcMessage) => void) => Opening): { readonly id: string; readonly opening: Json };
  get(id: string): HttpSession | undefined;
  /** Attaches a `GET` stream, which gets what was waiting for one. */
  attach(entry: HttpSession, stream: EventStream): void;
  remove(id: string): boolean;
  announce(kinds: ReadonlySet<ListKind>): void;
  /** Ends sessions that are idle or too old; never one with requests in flight or an open stream. */
  sweep(): void;
  closeAll(): void;
}

/** 32 random bytes: bound to nothing, so never a proof of anything. OWASP ASVS 7.2.3. */
const sessionId = (): string => randomBytes(32).toString('base64url');

/** @param now monotonic milliseconds */
export function createSessions(limits: Limits, now: () => number): Sessions {
  /** In the order of last use, so that a sweep looks at the expired ones only. */
  const sessions = new Map<string, HttpSession>();

  const end = (entry: HttpSession) => {
    sessions.delete(entry.id);
    entry.session.close();
    entry.stream?.end();
  };
  const isBusy = ({ session, stream }: HttpSession) => session.inFlight > 0 || stream !== undefined;
  const isOld = ({ session }: HttpSession) => now() - session.createdAt > limits['session.absolute'];

  return {
    get size() {
      return sessions.size;
    },
    add(create) {
      const { session, opening } = create((message) => {
        const text = JSON.stringify(message);
        if (entry.stream) entry.stream.send(text);
        else entry.waiting.set(message.method ?? '', text);
      });
      const entry: HttpSession = { id: sessionId(), session, stream: undefined, waiting: new Map() };
      sessions.set(entry.id, entry);
      return { id: entry.id, opening };
    },
    get(id) {
      const entry = sessions.get(id);
      if (!entry) return undefined;
      if (isOld(entry) && entry.session.inFlight === 0) {
        end(entry);
        return undefined;
      }
      sessions.delete(id);
      sessions.set(id, entry);
      return entry;
    },
    attach(entry, stream) {
      entry.stream = stream;
      for (const text of entry.waiting.values()) stream.send(text);
      entry.waiting.clear();
    },
    remove(id) {
      const entry = sessions.get(id);
      if (entry) end(entry);
      return entry !== undefined;
    },
    announce(kinds) {
      for (const { session } of sessions.values()) session.announce(kinds);
    },
    sweep() {
      const limit = now() - limits['session.idle'];
      for (const entry of sessions.values()) {
        if (entry.session.lastUsed > limit) break;
        if (!isBusy(entry)) end(entry);
      }
    },
    closeAll() {
      for (const entry of [...sessions.values()]) end(entry);
    },
  };
}
