import type { Limits } from '../limits.ts';
import type { JsonRpcMessage } from '../world.ts';
import { createEventStore, type EventLog } from './eventStore.ts';
import { type Outlet, type Payload, payloadOf } from './outlet.ts';
import type { ReplayBudget } from './replayBudget.ts';
import type { EventStream } from './sse.ts';
import type { Streams } from './streams.ts';
import { createWaiting } from './waiting.ts';

/**
 * The event streams of one session. A stream outlives its connection: what it says meanwhile is kept, and a client that
 * comes back with the id of the last event it got is given the rest. MCP basic/transports §Resumability and Redelivery.
 */
export interface SessionStreams {
  /** Opens a stream for the answer to one POST. */
  answer(outlet: Outlet): AnswerStream;
  /** Opens a stream for what belongs to no request; the newest one gets it. */
  listen(outlet: Outlet): void;
  /** Goes on with the stream of an event after that event. False for an id that is unknown, or too old: nothing was done then. */
  resume(eventId: string, outlet: Outlet): boolean;
  /** Sends what belongs to no request. A notification may wait for a stream, a request needs one. */
  send(message: JsonRpcMessage): boolean;
  /** Whether a client is connected. */
  readonly isOpen: boolean;
  /** When the last connection was lost, monotonic milliseconds. */
  readonly lastOpen: number;
  /** Nothing is here that is worth keeping. */
  readonly isEmpty: boolean;
  /** Forgets streams that nobody came back for. */
  sweep(): void;
  close(): void;
}

/** The stream of one POST. */
export interface AnswerStream {
  /** False if the client cannot get it: it has gone, and knows no event it could come back with. */
  send(text: string): boolean;
  /** Sends a response, which is kept until the client has got it. */
  answer(text: string): void;
  /** Ends it after the last response. */
  end(): void;
}

export interface SessionStreamsOptions {
  readonly limits: Limits;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly streams: Streams;
  /** One for all sessions. */
  readonly budget: ReplayBudget;
  /** The version that the session negotiated. */
  readonly protocolVersion: string;
}

interface Stream {
  readonly log: EventLog;
  /** It is for what belongs to no request. */
  readonly listens: boolean;
  /** The connection that carries it now, and the newest there was. */
  connection: EventStream | undefined;
  newest: EventStream | undefined;
  /** Number of the newest event that a connection was given. */
  written: number;
  /** The connection has not been given everything yet, because the client has not taken what was queued. */
  behind: boolean;
  /** We closed the connection because of its age, so the client will come back. */
  polled: boolean;
  answered: boolean;
  /** When it lost its connection and when it ended, monotonic milliseconds. */
  lostAt: number;
  endedAt: number | undefined;
}

/** Versions from this one on know events without data. */
const PRIMING_SINCE = '2025-11-25';
/** Bytes a client may owe before more of what it missed is written. */
const LOW_WATER = 64 * 1024;
/** Streams for what belongs to no request that may be resumed, besides the connected ones. */
const MOST_LISTENERS = 8;
const EVENT_ID = /^([\w-]+)_([1-9]\d{0,14})$/;

export function createSessionStreams({ limits, now, streams, budget, protocolVersion }: SessionStreamsOptions): SessionStreams {
  const store = createEventStore({
    maxEvents: limits['sse.replayEvents'],
    maxBytes: limits['sse.replayBytes'],
    maxKept: limits['session.maxInFlight'],
    budget,
  });
  const primes = protocolVersion >= PRIMING_SINCE;
  const lowWater = Math.min(LOW_WATER, limits['sse.queueBytes']);
  const byId = new Map<string, Stream>();
  /** Those that listen, the newest last. */
  let listeners: Stream[] = [];
  const waiting = createWaiting(limits['session.maxSubscriptions']);
  let lastOpen = 0;
  let closed = false;

  const create = (listens: boolean): Stream => {
    const stream: Stream = {
      log: store.open(() => {
        if (stream.endedAt !== undefined && stream.log.isEmpty && !stream.connection) forget(stream);
      }),
      listens,
      connection: undefined,
      newest: undefined,
      written: 0,
      behind: false,
      polled: false,
      answered: false,
      lostAt: 0,
      endedAt: undefined,
    };
    byId.set(stream.log.id, stream);
    return stream;
  };

  const forget = (stream: Stream) => {
    byId.delete(stream.log.id);
    if (stream.listens) listeners = listeners.filter((other) => other !== stream);
    stream.log.clear();
  };

  const connect = (stream: Stream, outlet: Outlet) => {
    stream.connection?.end();
    let timer: NodeJS.Timeout | undefined;
    const connection = streams.open(outlet, {
      onEnd() {
        clearTimeout(timer);
        lose(stream);
      },
      onClosed(complete) {
        const all = stream.newest === connection && stream.endedAt !== undefined && stream.written === stream.log.last;
        if (complete && all) stream.log.release();
        // It holds the whole request and answer of Node, which would be kept as long as the stream.
        if (stream.newest === connection) stream.newest = undefined;
      },
      onDrain() {
        if (stream.behind && stream.connection === connection) catchUp(stream);
      },
    });
    stream.connection = connection;
    stream.newest = connection;
    stream.log.attend(true);
    stream.behind = false;
    stream.polled = false;
    const age = limits['sse.maxConnection'];
    // Only a client that has an id to come back with may be sent away.
    if (!primes || age === 0) return;
    timer = setTimeout(() => {
      stream.polled = true;
      connection.end();
    }, age).unref();
  };

  /** The first event of a stream: an id to come back with. SEP-1699. */
  const prime = ({ connection, log }: Stream) => {
    if (primes) connection?.prime(`${log.id}_${log.skip()}`, limits['sse.retry']);
  };

  const lose = (stream: Stream) => {
    stream.connection = undefined;
    stream.log.attend(false);
    lastOpen = stream.lostAt = now();
    if (isUnknown(stream) && (stream.listens || stream.endedAt !== undefined)) forget(stream);
  };

  /** The client knows no event of it, so it cannot come back. */
  const isUnknown = ({ connection, log }: Stream) => !connection && log.last === 0;

  /** Gives a connection what it has not been given yet, as fast as the client takes it. */
  const catchUp = (stream: Stream) => {
    const { connection, log } = stream;
    const missed = log.after(stream.written);
    // So slow that something was dropped: it may come back, and will be told.
    if (!missed) return connection?.end();
    for (const { seq, text } of missed) {
      stream.behind = connection !== undefined && connection.queued > lowWater;
      if (stream.behind) return;
      connection?.send(text, `${log.id}_${seq}`);
      stream.written = seq;
    }
    stream.behind = false;
    if (stream.endedAt !== undefined) connection?.end();
  };

  const say = (stream: Stream, text: Payload, keep = false): boolean => {
    if (closed || isUnknown(stream)) return false;
    const seq = stream.log.append(text, keep);
    if (!stream.connection || stream.behind) return true;
    // So much is not queued on top for a client that has something to read: it stays in the store until then.
    stream.behind = text.length > limits['sse.queueBytes'] && stream.connection.queued > LOW_WATER;
    if (stream.behind) return true;
    stream.written = seq;
    stream.connection.send(text, `${stream.log.id}_${seq}`);
    return true;
  };

  const end = (stream: Stream) => {
    stream.endedAt = now();
    if (!stream.behind) stream.connection?.end();
    // Nothing will ever answer it, for example because it was cancelled; or what it said is not kept any more.
    if (!stream.answered || isUnknown(stream) || (!stream.connection && stream.log.isEmpty)) forget(stream);
  };

  const isExpired = ({ connection, listens, lostAt, endedAt }: Stream): boolean => {
    if (connection || (!listens && endedAt === undefined)) return false;
    return now() - Math.max(lostAt, endedAt ?? 0) > limits['sse.replayFor'];
  };

  /** Where something that belongs to no request goes now. */
  const listener = (): Stream | undefined =>
    listeners.findLast(({ connection }) => connection) ?? listeners.findLast((stream) => stream.polled && !isExpired(stream));

  const listenOn = (stream: Stream) => {
    listeners = [...listeners.filter((other) => other !== stream), stream];
    for (const text of waiting.take()) say(stream, text);
  };

  return {
    answer(outlet) {
      const stream = create(false);
      connect(stream, outlet);
      prime(stream);
      return {
        send: (text) => say(stream, payloadOf(text)),
        answer(text) {
          stream.answered = true;
          say(stream, payloadOf(text), true);
        },
        end: () => end(stream),
      };
    },

    listen(outlet) {
      const stream = create(true);
      connect(stream, outlet);
      prime(stream);
      // What one that was sent away would have got when it came back.
      for (const other of listeners.filter(({ polled }) => polled)) {
        for (const { text } of other.log.after(other.written) ?? []) say(stream, text);
        forget(other);
      }
      listenOn(stream);
      for (const other of listeners.filter(({ connection }) => !connection).slice(0, -MOST_LISTENERS)) forget(other);
    },

    resume(eventId, outlet) {
      const [, id = '', number] = EVENT_ID.exec(eventId) ?? [];
      const stream = byId.get(id);
      const seq = Number(number);
      if (!stream || isExpired(stream) || !stream.log.after(seq)) return false;
      connect(stream, outlet);
      stream.written = seq;
      catchUp(stream);
      if (stream.listens) listenOn(stream);
      return true;
    },

    send(message) {
      const text = JSON.stringify(message);
      const stream = listener();
      return stream ? say(stream, payloadOf(text)) : waiting.add(message, text);
    },

    get isOpen() {
      for (const { connection } of byId.values()) if (connection) return true;
      return false;
    },
    get lastOpen() {
      return lastOpen;
    },
    get isEmpty() {
      return byId.size === 0 && waiting.size === 0;
    },

    sweep() {
      for (const stream of byId.values()) if (isExpired(stream)) forget(stream);
    },

    close() {
      closed = true;
      for (const { connection, log } of [...byId.values()]) {
        connection?.end();
        log.clear();
      }
      byId.clear();
      listeners = [];
    },
  };
}
