/**
 * From a backend up to the client: the requests and log messages of a backend that belong to one client, with the gates
 * that the client's capabilities set. MCP client/elicitation, client/sampling, client/roots, server/utilities/logging.
 */
import { OnemcpError, WireError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Json, Upward, UpwardOptions } from '../world.ts';
import { elicits } from './capabilities.ts';
import type { Client, Send } from './client.ts';
import { downgradeRequest } from './downgrade.ts';
import { dropHopMeta } from './hopMeta.ts';
import { SERVER_META } from './metaKeys.ts';
import type { Context } from './method.ts';
import { exposerFor } from './methods/exposer.ts';
import { rewriteSampling } from './rewrite.ts';

/** Whom a backend speaks to: a client, on the stream of one of its requests or on its own. */
export interface Target {
  readonly client: Client;
  readonly send: Send;
}

/** The way up from a backend to a client. A class, because every call makes one. */
export class ClientUpward implements Upward {
  /** Whether the client was asked anything: it is not asked twice. */
  asked = false;
  private readonly target: Target;
  private readonly backend: string;
  private readonly context: Context;

  constructor(target: Target, backend: string, context: Context) {
    this.target = target;
    this.backend = backend;
    this.context = context;
  }

  async request(method: string, params: Json | undefined, options: UpwardOptions): Promise<Json> {
    const { client, send } = this.target;
    const asked = this.prepare(method, params, client);
    this.asked = true;
    const wantsProgress = isObject(params?._meta) && params._meta.progressToken !== undefined;
    if (asked) dropHopMeta(asked);
    try {
      return await client.ask(method, asked, {
        send,
        signal: options.signal,
        timeoutMs: this.context.limits.humanTimeout,
        onProgress: wantsProgress ? options.onProgress : undefined,
      });
    } catch (error) {
      if (error instanceof WireError) throw error;
      // A person who does not answer has chosen neither way.
      if (method === 'elicitation/create' && error instanceof OnemcpError && error.code === 'timeout') return { action: 'cancel' };
      throw refusal(-32603, (error as Error).message);
    }
  }

  notify(method: string, params: Json): void {
    const { client, send } = this.target;
    if (method !== 'notifications/message' || !this.context.levels.passes(client, params.level)) return;
    send({ jsonrpc: '2.0', method, params: this.withProvenance(params) });
  }

  private prepare(method: string, params: Json | undefined, client: Client): Json | undefined {
    if (method === 'elicitation/create') return this.elicitation(params ?? {}, client);
    if (method === 'sampling/createMessage') return this.sampling(params ?? {}, client);
    if (method !== 'roots/list') throw refusal(-32601, `onemcp does not pass ${method} on to clients`);
    if (!isObject(client.capabilities.roots)) throw refusal(-32601, 'the client of this request has no roots');
    return params && { ...params };
  }

  private elicitation(params: Json, client: Client): Json {
    if (!isObject(client.capabilities.elicitation)) throw refusal(-32601, 'the client of this request does not do elicitation');
    const mode = params.mode ?? 'form';
    if (mode !== 'form' && mode !== 'url') throw refusal(-32602, 'onemcp knows the elicitation modes "form" and "url" only');
    if (!elicits(client.capabilities, mode)) throw refusal(-32602, `the client of this request does not do elicitation in mode "${mode}"`);
    if (mode === 'url') this.context.elicitations.remember(this.backend, params.elicitationId, client);
    // Clients must show which server asks; behind a gateway they see only the gateway.
    const message = this.prefixed && typeof params.message === 'string' ? { message: `[${this.namespace}] ${params.message}` } : {};
    return { ...params, ...message };
  }

  private sampling(params: Json, client: Client): Json {
    const { sampling } = client.capabilities;
    if (!isObject(sampling)) throw refusal(-32601, 'the client of this request does not do sampling');
    if ((params.tools !== undefined || params.toolChoice !== undefined) && !isObject(sampling.tools)) {
      throw refusal(-32602, 'the client of this request does not do sampling with tools');
    }
    // To the client "this server" is the whole gateway, so one backend would be fed the context of all.
    const context = params.includeContext === undefined || this.context.samplingContext(this.backend) ? {} : { includeContext: 'none' };
    const shown = rewriteSampling({ ...params, ...context }, exposerFor(this.backend, this.context));
    return downgradeRequest('sampling/createMessage', shown, client.protocolVersion);
  }

  private withProvenance(params: Json): Json {
    if (!this.prefixed) return params;
    const namespace = this.namespace;
    const logger = typeof params.logger === 'string' ? `${namespace}/${params.logger}` : namespace;
    return { ...params, logger, _meta: { ...(isObject(params._meta) && params._meta), [SERVER_META]: namespace } };
  }

  private get prefixed(): boolean {
    return this.context.naming.prefix === 'always';
  }
  private get namespace(): string {
    return this.context.world().backends.get(this.backend)?.namespace ?? this.backend;
  }
}

/** An error for the backend. */
const refusal = (code: number, message: string) => new WireError({ code, message });
