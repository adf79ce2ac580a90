import { OnemcpError, WireError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Json, JsonRpcMessage, RequestId } from '../world.ts';
import { Cancellation } from './cancel.ts';
import { type Client, createClient, type Send } from './client.ts';
import { type Call, type Context, type Method, type Result, Serialized } from './method.ts';
import { extensionMethod } from './methods/extension.ts';
import { initializeResult } from './methods/initialize.ts';
import type { RequestSpan, TraceHeaders } from './tracing.ts';
import type { ListView } from './view.ts';

/** The kinds of `notifications/…/list_changed`; resources stand for templates too. */
export type ListKind = 'tools' | 'prompts' | 'resources';
const LIST_KINDS: readonly ListKind[] = ['tools', 'prompts', 'resources'];

/** The lists a client knows of, by identity. */
type Seen = Record<ListKind, readonly ListView[]>;

/** One client's conversation, whatever carries it. */
export interface Session {
  readonly client: Client;
  readonly protocolVersion: string;
  /** Monotonic milliseconds of the last message from the client. */
  readonly lastUsed: number;
  readonly createdAt: number;
  readonly inFlight: number;
  /**
   * Answers one request.
   * @param send what goes to the client before the answer, on the request's own stream
   * @param trace the trace context of what carried it
   * @returns the response as text, or undefined if there is none because the client cancelled
   */
  request(message: JsonRpcMessage, send: Send, trace?: TraceHeaders): Promise<string | undefined>;
  /** The client's answer to a request of ours. */
  response(message: JsonRpcMessage): void;
  notification(message: JsonRpcMessage): void;
  /** Tells the client of changed lists, each kind at most once, and only if it does not know them yet. */
  announce(kinds: ReadonlySet<ListKind>): void;
  /** Cancels everything in flight, and forgets what was kept for the client. */
  close(): void;
}

export interface SessionPorts {
  readonly context: Context;
  readonly methods: ReadonlyMap<string, Method>;
  /** Sends a message that belongs to no request. A notification may wait for a stream, a request does not. */
  readonly send: Send;
  /** An unexpected exception: a bug. */
  readonly onBug: (error: unknown) => void;
  /** The trace context of what carried the `initialize`. */
  readonly trace?: TraceHeaders | undefined;
}

/** A new conversation, and the result of the `initialize` that began it. */
export interface Opening {
  readonly session: Session;
  readonly opening: Json;
}

/** Begins a conversation with the client's `initialize`. MCP basic/lifecycle. */
export function createSession(initialize: JsonRpcMessage, ports: SessionPorts): Opening {
  const params = initialize.params ?? {};
  const opening = initializeResult(params, ports.context);
  const session = openSession(opening.protocolVersion, isObject(params.capabilities) ? params.capabilities : {}, ports);
  ports.context.tracing?.request(initialize, session.client, ports.trace).answered(false);
  return { session, opening };
}

/** Characters of what a client names that a log shows. */
const MOST_OF_ID = 64;

/** A request of the client that is not answered yet. */
interface Running {
  readonly id: RequestId;
  readonly cancellation: Cancellation;
}

function openSession(protocolVersion: string, capabilities: Json, { context, methods, send, onBug }: SessionPorts): Session {
  const client = createClient({ capabilities, protocolVersion, principal: 'anonymous', send });
  /**
   * The newest last; clients may use one id for several. An array, because there are few, and because what a Map held
   * until lately survives the young generation.
   */
  const calls: Running[] = [];
  const createdAt = context.now();
  let seen = snapshot(context);
  let lastUsed = createdAt;
  let initialized = false;
  let closed = false;
  context.clients.add(client);

  const track = (running: Running) => {
    context.traffic.enter();
    calls.push(running);
  };
  const untrack = (running: Running) => {
    context.traffic.leave();
    lastUsed = context.now();
    calls.splice(calls.indexOf(running), 1);
  };

  const answer = async (message: JsonRpcMessage, call: Call): Promise<string | undefined> => {
    const id = message.id as RequestId;
    try {
      const method = methods.get(call.method) ?? extensionMethod(call.method, context);
      if (!method) throw unknownMethod(call.method);
      if (calls.length > context.limits['session.maxInFlight']) throw tooMany(context.limits['session.maxInFlight']);
      const value = await method.handle(call, context);
      if (call.span !== undefined) endSpan(call.span, call, value);
      // MCP basic/utilities/cancellation: a cancelled request gets no response.
      if (call.signal.aborted) return undefined;
      if (value instanceof Serialized && value.list) noteListed(call.method, value.list);
      return responseText(id, value);
    } catch (error) {
      call.span?.failed(call.signal.aborted ? CANCELLED : error);
      if (call.signal.aborted) return undefined;
      if (error instanceof OnemcpError) tellFailure(call, error);
      else if (!(error instanceof WireError)) onBug(error);
      return errorText(id, error);
    }
  };

  /** Without its message, which may quote what was asked for. */
  const tellFailure = ({ method, id }: Call, { code, data }: OnemcpError) => {
    const request = String(id).slice(0, MOST_OF_ID);
    context.log('debug', 'request.failed', {
      session: client.id,
      request,
      method: method.slice(0, MOST_OF_ID),
      code,
      backend: data?.server,
    });
  };

  /** A client that was given a list after its change need not be told of it. */
  const noteListed = (method: string, list: ListView) => {
    if (method === 'tools/list') seen = { ...seen, tools: [list] };
    else if (method === 'prompts/list') seen = { ...seen, prompts: [list] };
    else seen = { ...seen, resources: seen.resources.with(method === 'resources/list' ? 0 : 1, list) };
  };

  return {
    client,
    protocolVersion,
    createdAt,
    get lastUsed() {
      return lastUsed;
    },
    get inFlight() {
      return calls.length;
    },

    request(message, sendHere, trace) {
      lastUsed = context.now();
      const id = message.id as RequestId;
      const cancellation = new Cancellation();
      const running = { id, cancellation };
      let open = true;
      track(running);
      const call: Call = {
        id,
        method: message.method as string,
        params: message.params ?? {},
        signal: cancellation,
        client,
        send: (toClient) => open && !cancellation.aborted && sendHere(toClient),
        span: context.tracing === undefined ? undefined : context.tracing.request(message, client, trace),
      };
      if (closed) cancellation.abort('the session has ended');
      return answer(message, call).then((text) => {
        open = false;
        untrack(running);
        return text;
      });
    },

    response(message) {
      lastUsed = context.now();
      client.answered(message);
    },

    notification({ method, params = {} }) {
      lastUsed = context.now();
      if (method === 'notifications/initialized') initialized = true;
      else if (method === 'notifications/progress') client.progressed(params);
      else if (method === 'notifications/roots/list_changed') context.connections.rootsChanged(client);
      if (method !== 'notifications/cancelled') return;
      // The newest of several requests with the same id is meant; unknown and finished ones are ignored.
      const { requestId, reason } = params;
      calls.findLast(({ id }) => id === requestId)?.cancellation.abort(typeof reason === 'string' ? reason : 'cancelled by the client');
    },

    announce(kinds) {
      if (!initialized || closed) return;
      const now = snapshot(context);
      for (const kind of LIST_KINDS) {
        if (!kinds.has(kind) || now[kind].every((list, index) => list === seen[kind][index])) continue;
        seen = { ...seen, [kind]: now[kind] };
        if (send({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` })) context.announced[kind]++;
      }
    },

    close() {
      if (closed) return;
      closed = true;
      context.clients.delete(client);
      client.gone();
      for (const { cancellation } of [...calls]) cancellation.abort('the session has ended');
      context.subscriptions.drop(client);
      context.levels.drop(client);
      context.elicitations.drop(client);
      context.connections.drop(client);
    },
  };
}

function snapshot({ view, world }: Context): Seen {
  const { tools, prompts, resources, templates } = view(world());
  return { tools: [tools], prompts: [prompts], resources: [resources, templates] };
}

const CANCELLED = new OnemcpError('cancelled', 'the call was cancelled');

function endSpan(span: RequestSpan, { signal }: Call, value: Result): void {
  if (signal.aborted) span.failed(CANCELLED);
  else span.answered(!(value instanceof Serialized) && value.isError === true);
}

const unknownMethod = (method: string) => new OnemcpError('unknown_method', `Method not found: ${method.slice(0, 100)}`);

const tooMany = (limit: number) =>
  new OnemcpError('busy', `This session has ${limit} requests in flight, which is the limit; wait for one to be answered`, {
    retryable: true,
    retryAfterMs: 1000,
  });

/** A JSON-RPC response as text. */
export function responseText(id: RequestId, result: Json | Serialized): string {
  const text = result instanceof Serialized ? result.text : JSON.stringify(result);
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${text}}`;
}

/** A JSON-RPC error response as text; an unexpected exception shows nothing of itself. */
export function errorText(id: RequestId | null, error: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: errorObject(error) });
}

function errorObject(error: unknown): { code: number; message: string; data?: unknown } {
  if (error instanceof WireError) return error.error;
  if (error instanceof OnemcpError) return { code: error.rpcCode, message: error.message, ...(error.data && { data: error.data }) };
  return { code: -32603, message: 'Internal error of onemcp; see its log' };
}
