import type { Config } from '../config/config.ts';
import type { OnemcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { BackendView, CancelSignal, Json, RequestId, World } from '../world.ts';
import type { Client, Send } from './client.ts';
import type { Connections } from './connections.ts';
import type { Elicitations } from './elicitations.ts';
import type { Lanes } from './lanes.ts';
import type { Levels } from './levels.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { RequestSpan, Tracing } from './tracing.ts';
import type { Traffic } from './traffic.ts';
import type { ListView, Naming, View } from './view.ts';

/** What every method may use. One for the whole gateway. */
export interface Context {
  readonly world: () => World;
  /** Calls back after each change of the World; returns the unsubscriber. */
  readonly onChange: (listener: () => void) => () => void;
  readonly view: (world: World) => View;
  readonly naming: Naming;
  readonly limits: Limits;
  /** Our `serverInfo`. */
  readonly serverInfo: { readonly name: string; readonly version: string };
  readonly traffic: Traffic;
  /** Undefined: nobody traces requests. */
  readonly tracing: Tracing | undefined;
  readonly log: (level: 'debug' | 'warn', event: string, facts: Record<string, unknown>) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly epoch: () => number;
  /** `now()` at which backends began to start. */
  readonly startedAt: number;
  /** Backends whose results mentioned a URI, listed or not. */
  readonly handedOut: Map<string, readonly string[]>;
  /** Every client that is initialised and has not gone. */
  readonly clients: Set<Client>;
  /** Which connection to a backend belongs to which client. */
  readonly connections: Connections;
  /** Places and lines of requests, for each backend. */
  readonly lanes: Lanes;
  /** `notifications/…/list_changed` that clients were sent so far, by kind. */
  readonly announced: Record<'tools' | 'prompts' | 'resources', number>;
  readonly subscriptions: Subscriptions;
  readonly levels: Levels;
  readonly elicitations: Elicitations;
  /** What clients are told at `initialize`. */
  readonly instructions: Config['instructions'];
  /** Whether a backend may ask for the context of other servers in a sampling request. */
  readonly samplingContext: (backend: string) => boolean;
  /** `passthroughExtensions` of the configuration: extension → backend. */
  readonly extensions: Readonly<Record<string, string>>;
}

/** One request of a client, being answered. */
export interface Call {
  readonly id: RequestId;
  readonly method: string;
  readonly params: Json;
  /** Aborts when the client cancels or its session ends. */
  readonly signal: CancelSignal;
  readonly client: Client;
  /** Sends a message on the request's own stream; once the request is answered nothing is sent any more. */
  readonly send: Send;
  /** Undefined: it is not traced. */
  readonly span: RequestSpan | undefined;
}

/** A result that is text already, so that a long list is not serialised for every client anew. */
export class Serialized {
  readonly text: string;
  /** The list that it is, or begins. */
  readonly list: ListView | undefined;
  constructor(text: string, list?: ListView) {
    this.text = text;
    this.list = list;
  }
}

export type Result = Json | Serialized;

/** One method of the protocol. Throws OnemcpError or WireError for a JSON-RPC error. */
export interface Method {
  readonly name: string;
  handle(call: Call, context: Context): Promise<Result>;
}

/**
 * Waits until `ready` gives something, the time is over or the call is cancelled; undefined then.
 * @param ms milliseconds from now
 */
export function waitFor<T>(
  context: Context,
  { ms, signal }: { ms: number; signal: CancelSignal },
  ready: (world: World) => T | undefined,
): Promise<T | undefined> {
  const now = ready(context.world());
  if (now !== undefined || ms <= 0 || signal.aborted) return Promise.resolve(now);
  return new Promise((resolve) => {
    const finish = (value: T | undefined) => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    };
    const onAbort = () => finish(undefined);
    const timer = setTimeout(() => finish(ready(context.world())), ms);
    signal.addEventListener('abort', onAbort);
    const unsubscribe = context.onChange(() => {
      const value = ready(context.world());
      if (value !== undefined) finish(value);
    });
  });
}

/** Whether a backend may become usable by itself, or by waking it, while a call waits. */
export function isComing({ state, retryAt }: BackendView, { world, epoch, limits }: Context): boolean {
  if (state === 'failed') return retryAt !== undefined && retryAt - epoch() <= limits.callWait;
  // It may be on its way to sleep, or be restarted by its operator.
  if (state === 'stopping') return world().phase === 'running';
  return state !== 'connected' && state !== 'stopped';
}

/** What a local error tells a client in `data` or `_meta`: never arguments or secrets. */
export interface ErrorMeta {
  readonly server: string;
  readonly reason: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** Facts of a local error for a client. */
export function errorMeta(server: string, error: OnemcpError): ErrorMeta {
  const { reason = error.code.replaceAll('_', '-'), retryable = true, retryAfterMs } = error.data ?? {};
  return { server, reason, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
