/**
 * The one read model. The root actor's snapshots are projected into a `World`; health, listChanged, routing, logs and
 * inspection are projections of it in turn. A new object identity means that something changed.
 */
import type { BackendSpec, Issue } from './config/config.ts';
import type { OnemcpError } from './errors.ts';

export type Json = Record<string, unknown>;
export type RequestId = string | number;

/** A JSON-RPC message as a plain object; fields we do not know are kept. */
export interface JsonRpcMessage {
  jsonrpc: '2.0';
  id?: RequestId;
  method?: string;
  params?: Json;
  result?: Json;
  error?: { code: number; message: string; data?: unknown };
  [key: string]: unknown;
}

/** Kinds of things a backend offers, as the MCP lists name them. */
export type Kind = 'tools' | 'prompts' | 'resources' | 'templates';
export const KINDS: readonly Kind[] = ['tools', 'prompts', 'resources', 'templates'];

/** The untouched list items of one backend, per kind. A kind that was not refreshed keeps its identity. */
export interface Items {
  readonly tools: readonly Json[];
  readonly prompts: readonly Json[];
  readonly resources: readonly Json[];
  readonly templates: readonly Json[];
}
export const NO_ITEMS: Items = { tools: [], prompts: [], resources: [], templates: [] };

export const BACKEND_STATES = ['idle', 'starting', 'connected', 'error', 'retrying', 'failed', 'stopping', 'stopped'] as const;
export type BackendState = (typeof BACKEND_STATES)[number];

/** Server information and capabilities of a backend, as it sent them in `initialize`. */
export interface BackendInfo {
  readonly protocolVersion: string;
  readonly serverInfo: Json;
  readonly capabilities: Json;
  readonly instructions?: string;
}

/** The part of an `AbortSignal` that we use. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The client that requests and messages of a backend are for. */
export interface Upward {
  /**
   * Asks the client and resolves with its raw `result`.
   * @throws WireError the error for the backend: the client's own, or ours if the client cannot be asked
   */
  request(method: string, params: Json | undefined, options: UpwardOptions): Promise<Json>;
  notify(method: string, params: Json): void;
}

export interface UpwardOptions {
  /** Aborts when the backend takes its request back, or no longer needs the answer. */
  readonly signal: CancelSignal;
  /** Params of `notifications/progress` of the client, with the backend's own token. */
  readonly onProgress: (params: Json) => void;
}

export interface RequestOptions {
  readonly signal?: CancelSignal;
  /** Whose request it is: what arrives on the request's own stream goes there. */
  readonly upward?: Upward;
  /** Longest silence, milliseconds; progress resets it. */
  readonly timeoutMs?: number;
  readonly totalTimeoutMs?: number;
  /** Params of `notifications/progress` of this request, with our token still in them. */
  readonly onProgress?: (params: Json) => void;
}

export type SessionEvent =
  | { readonly type: 'closed'; readonly error: OnemcpError }
  | { readonly type: 'listChanged'; readonly kind: 'tools' | 'prompts' | 'resources' }
  /** A request was not answered in time. */
  | { readonly type: 'timedOut' }
  /** The backend lost its session and has a new one: whatever it remembered is gone. */
  | { readonly type: 'reset' }
  | { readonly type: 'notification'; readonly method: string; readonly params: Json };

/** An initialised connection to one backend. */
export interface BackendSession {
  readonly info: BackendInfo;
  /** What `initialize` declared to the backend. */
  readonly declared: Json;
  /** Operating-system process id of a stdio backend. */
  readonly pid: number | undefined;
  /** Requests sent and not answered yet. */
  readonly inFlight: number;
  /** Monotonic milliseconds (`performance.now`) of the last message from the backend, and of the last request to it but pings. */
  readonly lastReceived: number;
  readonly lastRequested: number;
  /** Last lines of stderr of a stdio backend, newest last. */
  readonly stderrTail: string;
  /**
   * Sends a request and resolves with the raw `result`. With `onProgress`, the parameters get our progress token.
   * @throws WireError the backend answered with an error; OnemcpError anything local (exit, timeout, too large, cancelled).
   */
  request(method: string, params: Json | undefined, options?: RequestOptions): Promise<Json>;
  notify(method: string, params?: Json): void;
  /** Returns the unsubscriber. A `closed` event is also delivered to a late subscriber. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
  /** Resolves when nothing of the backend is left. With `kill`, it gets no time to end by itself. Never rejects. Idempotent. */
  close(options?: { readonly kill?: boolean }): Promise<void>;
  toJSON(): unknown;
}

/** What an operator asks of one backend. */
export type Operation =
  | { readonly op: 'start' | 'stop' | 'restart' | 'resume'; readonly name: string }
  /** Requests wait; after `holdMs` they go on by themselves. */
  | { readonly op: 'drain'; readonly name: string; readonly holdMs?: number | undefined };

/** What is known of a backend from an earlier run. */
export interface Remembered {
  readonly items: Items;
  readonly info: BackendInfo;
  /** Milliseconds since the epoch at which it was read. */
  readonly at: number;
}

/** A new generation of a backend that is not connected yet, while the old one serves. */
export interface Successor {
  readonly generation: number;
  readonly state: BackendState;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly lastError: OnemcpError | undefined;
  readonly retryAt: number | undefined;
}

/** Who shares a connection to a backend. */
export type Isolation = 'auto' | 'shared' | 'session' | 'principal';

export interface BackendView {
  readonly name: string;
  readonly namespace: string;
  readonly tags: readonly string[];
  readonly critical: boolean;
  readonly kind: 'stdio' | 'remote';
  /** Whether its messages say which request they belong to: on a pipe, and on HTTP+SSE, they do not. */
  readonly attributes: boolean;
  readonly state: BackendState;
  /** Milliseconds since the epoch at which `state` was entered. */
  readonly since: number;
  /** Counts respawns of the backend's actor. */
  readonly generation: number;
  /** Present only while `state` is `connected`. */
  readonly session: BackendSession | undefined;
  /** Last known items: they stay while the backend is down. */
  readonly items: Items;
  /** What was wrong with its lists: one sentence each. */
  readonly notes: readonly string[];
  /** Whose features its connections may use: see `isolation` in the configuration. */
  readonly isolation: Isolation;
  /** Present once the backend was connected in this run, or when it is remembered. */
  readonly info: BackendInfo | undefined;
  readonly lastConnected: number | undefined;
  readonly lastError: OnemcpError | undefined;
  /** Milliseconds since the epoch of the next start, while `retrying`. */
  readonly retryAt: number | undefined;
  /** Consecutive failures. */
  readonly failures: number;
  /** Successful connections so far. */
  readonly connects: number;
  /** Nothing is expected of its lists in the next moments: they no longer wait for it. */
  readonly settled: boolean;
  readonly dependsOn: readonly string[];
  /** Dependencies that are not connected, while its start waits for them. */
  readonly waitsFor: readonly string[];
  /** Idle until a request needs it. */
  readonly asleep: boolean;
  /** An operator keeps requests from it, until a time in milliseconds since the epoch or until it is resumed. */
  readonly held: { readonly since: number; readonly until: number | undefined } | undefined;
  /** Its successor, while there is one. */
  readonly next: Successor | undefined;
  /** Milliseconds since the epoch at which its lists were read, while they are those of an earlier run. */
  readonly remembered: number | undefined;
  /** By the names that it gives its tools: the only ones that clients see, and those that they do not; undefined: all, none. */
  readonly enabledTools?: readonly string[] | undefined;
  readonly disabledTools?: readonly string[] | undefined;
  readonly retry: BackendSpec['retry'];
  readonly maxConcurrency: number;
  readonly maxQueue: number;
  readonly queueTimeout: number;
}

/** A connection to a backend besides the one that its lists come from. */
export interface Instance {
  /** `name@key`, unique in the World; never the name of a backend. */
  readonly id: string;
  /** Name of the backend. */
  readonly backend: string;
  /** Who shares it: `client-7`, or a class of client capabilities such as `elicitation.form+sampling`. */
  readonly key: string;
  /** The client it belongs to, if it belongs to one alone. */
  readonly client: string | undefined;
  /** What `initialize` declares to the backend. */
  readonly capabilities: Json;
}

export interface InstanceView extends BackendView {
  readonly instance: Instance;
}

export type Phase = 'booting' | 'running' | 'draining' | 'stopping' | 'stopped';

export interface ConfigView {
  readonly loaded: boolean;
  readonly file: string;
  readonly serverCount: number;
  readonly disabled: readonly string[];
  /** Why some of `disabled` are not used although the file does not disable them. */
  readonly inactive?: Readonly<Record<string, string>> | undefined;
  /** Counts the configurations that were applied, from 1. */
  readonly revision: number;
  /** Milliseconds since the epoch at which this one was applied. */
  readonly appliedAt: number;
  /** Why the file as it is now was not applied. */
  readonly lastError: { readonly at: number; readonly issues: readonly Issue[] } | undefined;
}

export interface World {
  readonly phase: Phase;
  readonly config: ConfigView;
  /** In configuration order. */
  readonly backends: ReadonlyMap<string, BackendView>;
  /** Further connections to backends, by id; clients that need one of their own get it with their first call. */
  readonly instances: ReadonlyMap<string, InstanceView>;
}
