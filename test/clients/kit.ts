/**
 * Clients of the SDK that write down everything that arrives, and what is in front of the fixture `asker`: nothing, or a gateway.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  McpError,
  ResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createGateway, type Gateway } from '../../src/gateway.ts';
import type { Json, JsonRpcMessage } from '../../src/world.ts';
import { MAIN, until } from '../e2e/gateway.ts';

const ASKER = resolve(import.meta.dirname, '../fixtures/asker/server.mjs');
/** Milliseconds after which a request of a client has failed. */
const PATIENCE = 15_000;

export const EVERYTHING = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {} },
  roots: { listChanged: true },
} satisfies ClientCapabilities;

/** Takes what has to be undone, last first. */
export type Defer = (undo: () => unknown) => void;

/** For what lives as long as a `describe`. */
export function deferToEnd(): Defer {
  const undos: (() => unknown)[] = [];
  afterAll(async () => {
    for (const undo of undos.reverse()) await undo();
  });
  return (undo) => void undos.push(undo);
}
const deferToTest: Defer = (undo) => onTestFinished(async () => void (await undo()));

// The fixture

/** An entry of `mcp.json`. */
export const STDIO_ASKER: Json = { command: [process.execPath, ASKER, '--stdio'] };

export interface Asker {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  kill(): Promise<void>;
}

/** The fixture over Streamable HTTP. */
export async function startAsker({ port = 0, defer = deferToTest }: { port?: number; defer?: Defer } = {}): Promise<Asker> {
  const child = spawn(process.execPath, [ASKER, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const kill = () => ended(child);
  defer(kill);
  const url = await new Promise<string>((found, failed) => {
    createInterface({ input: child.stdout }).once('line', found);
    child.once('exit', (code) => failed(new Error(`the fixture ended with ${code}`)));
  });
  return { url, port: Number(new URL(url).port), pid: child.pid as number, kill };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

// The gateway

/** No delays but those that a test is about. */
const SETTINGS: Json = {
  batch: { quiet: '5ms', max: '20ms' },
  refresh: { interval: '5ms' },
  restart: { initial: '20ms', max: '50ms' },
  probe: { initial: '50ms', max: '100ms' },
  stop: { stdin: '1s', term: '1s' },
};

export interface Running {
  /** Without a path. */
  readonly url: string;
  readonly gateway: Gateway;
  /** Waits until a connection to a backend has a state. */
  state(name: string, state: string): Promise<unknown>;
}

/** A gateway in this process, connected to all its servers. */
export async function startGateway(mcpServers: Json, gateway: Json = {}, defer: Defer = deferToTest): Promise<Running> {
  const text = JSON.stringify({ mcpServers, gateway: { ...SETTINGS, port: 0, ...gateway } });
  const loaded = await loadConfig({ file: '<test>', text, env: {}, secrets: { read: async () => '' } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
  const running = createGateway({ config: loaded.config, env: { PATH: process.env.PATH } });
  defer(() => running.close());
  const { url } = await running.listen();
  const state = (name: string, wanted: string) => until(`${name} is ${wanted}`, () => running.world().backends.get(name)?.state === wanted);
  for (const name of Object.keys(mcpServers)) await state(name, 'connected');
  return { url, gateway: running, state };
}

// Clients

export interface ConnectOptions {
  readonly name: string;
  readonly capabilities?: ClientCapabilities;
  /** Prefix of the names of tools, and a part of the URIs; none without a gateway. */
  readonly server?: string | undefined;
  readonly defer?: Defer;
}

type Answer = (params: Json, context: { tell(progress: number): Promise<void> }) => Json | Promise<Json>;
type Asked = 'elicitation/create' | 'sampling/createMessage' | 'roots/list';

/** What `whoami` of the fixture says. */
export interface Whoami {
  readonly pid: number;
  readonly connection: number;
  readonly capabilities: Json;
  readonly client: string;
}

/** What the fixture has written down. */
export interface Heard extends Json {
  readonly connection: number;
  readonly what: string;
}

/** Each has its own resource. */
let fences = 0;

export class Peer {
  /** Everything that arrived and was no answer, in order, in few words; see `inWords`. */
  readonly got: string[] = [];
  /** The same, as it arrived. */
  readonly raw: JsonRpcMessage[] = [];
  /** Ids of the requests sent, newest last. */
  readonly sent: (string | number)[] = [];
  /** How it answers; at first always at once, and with its name. */
  readonly answers: Record<Asked, Answer>;
  readonly client: Client;
  readonly #transport: Transport;
  readonly #server: string | undefined;
  readonly #fences = new Map<string, () => void>();
  #board: string | undefined;

  constructor(
    readonly name: string,
    transport: Transport,
    capabilities: ClientCapabilities,
    server: string | undefined,
  ) {
    this.#server = server;
    this.#transport = transport;
    this.client = new Client({ name, version: '1' }, { capabilities });
    this.answers = {
      'elicitation/create': ({ mode }) => ({ action: 'accept', ...(mode !== 'url' && { content: { who: name } }) }),
      'sampling/createMessage': () => ({ role: 'assistant', model: 'none', content: { type: 'text', text: name } }),
      'roots/list': () => ({ roots: [{ uri: `file:///${name}` }] }),
    };
    const schemas = { elicitation: ElicitRequestSchema, sampling: CreateMessageRequestSchema, roots: ListRootsRequestSchema };
    for (const [capability, schema] of Object.entries(schemas)) {
      if (!(capability in capabilities)) continue;
      this.client.setRequestHandler(
        schema as typeof ElicitRequestSchema,
        (async ({ method, params }, extra) => {
          const progressToken = extra._meta?.progressToken;
          const tell = async (progress: number) => {
            if (progressToken === undefined) throw new Error('no progress was asked for');
            await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } });
          };
          return this.answers[method as Asked]((params ?? {}) as Json, { tell });
        }) as Parameters<typeof this.client.setRequestHandler<typeof ElicitRequestSchema>>[1],
      );
    }
    // Some tests give up requests on purpose.
    this.client.onerror = () => {};
  }

  async connect(): Promise<void> {
    // The SDK calls the one that is there first.
    this.#transport.onmessage = (message) => this.#receive(message as JsonRpcMessage);
    const send = this.#transport.send.bind(this.#transport);
    this.#transport.send = (message, options) => {
      if ('id' in message && 'method' in message) this.sent.push(message.id as string | number);
      return send(message, options);
    };
    await this.client.connect(this.#transport);
  }

  /** Calls a tool of the fixture, and gives what it says. */
  async call<T = Json>(tool: string, args: Json = {}, options: RequestOptions & { server?: string } = {}): Promise<T> {
    const { server = this.#server, ...rest } = options;
    const name = server === undefined ? tool : `${server}__${tool}`;
    const result = await this.request('tools/call', { name, arguments: args }, rest);
    const text = (result.content as { text: string }[])[0]?.text as string;
    if (result.isError) throw new Error(text);
    return JSON.parse(text) as T;
  }

  request(method: string, params: Json = {}, options: RequestOptions = {}): Promise<Json> {
    return this.client.request({ method, params } as never, ResultSchema, { timeout: PATIENCE, ...options });
  }

  whoami = (): Promise<Whoami> => this.call<Whoami>('whoami');

  /** What the process that this client's calls go to has heard, and how often, of one kind. */
  async heard(what: string, more: Json = {}): Promise<readonly Heard[]> {
    const all = await this.call<Heard[]>('history');
    return all.filter((one) => one.what === what && Object.entries(more).every(([key, value]) => one[key] === value));
  }

  /** How a resource of the fixture is called here; it lies below one that is listed. */
  async uri(path = ''): Promise<string> {
    if (this.#board === undefined) {
      const { resources } = (await this.request('resources/list')) as { resources: { name: string; uri: string }[] };
      const boards = resources.filter(
        ({ name, uri }) => name === 'board' && (this.#server === undefined || uri.includes(`/${this.#server}/`)),
      );
      if (boards.length !== 1) throw new Error(`the board is not listed once: ${JSON.stringify(resources)}`);
      this.#board = boards[0]?.uri as string;
    }
    return this.#board + path;
  }

  async subscribe(path: string): Promise<void> {
    await this.request('resources/subscribe', { uri: await this.uri(path) });
  }
  async unsubscribe(path: string): Promise<void> {
    await this.request('resources/unsubscribe', { uri: await this.uri(path) });
  }

  /** Resolves when this has arrived, in words. */
  async gets(words: string): Promise<void> {
    await until(`"${words}" reached ${this.name}, which got ${JSON.stringify(this.got)}`, () => this.got.includes(words));
  }

  /**
   * Resolves when everything the fixture and the gateway said before has arrived: a resource that only this client is subscribed to
   * changes, and the news of it come last.
   */
  async fence(): Promise<void> {
    const path = `/fence/${++fences}`;
    const uri = await this.uri(path);
    const passed = new Promise<void>((done) => this.#fences.set(uri, done));
    await this.request('resources/subscribe', { uri });
    const told = await this.call<number>('touch', { uri: `${BOARD}${path}` });
    if (told !== 1) throw new Error(`${told} connections of the fixture were subscribed to the fence of ${this.name}`);
    const timer = setTimeout(() => this.#fences.get(uri)?.(), PATIENCE);
    await passed;
    clearTimeout(timer);
    if (!this.#fences.delete(uri)) throw new Error(`the fence of ${this.name} never came`);
    await this.request('resources/unsubscribe', { uri });
  }

  /** Leaves for good, as a client should. */
  async leave(): Promise<void> {
    if (this.#transport instanceof StreamableHTTPClientTransport) await this.#transport.terminateSession();
    await this.client.close();
  }

  #receive(message: JsonRpcMessage): void {
    if (message.method === undefined) return;
    const fence = message.method === 'notifications/resources/updated' && this.#fences.get(message.params?.uri as string);
    if (fence) return fence();
    this.got.push(this.#inWords(message));
    this.raw.push(message);
  }

  /** The method and what tells one message from another. */
  #inWords({ method, params = {} }: JsonRpcMessage): string {
    const short = (method as string).replace('notifications/', '');
    // Which server asks is told in front of the question.
    const text = (value: unknown) => String(value).replace(/^\[[^\]]*\] /, '');
    const known = (id: unknown) => this.raw.find((one) => one.params?.mode === 'url' && one.params.elicitationId === id)?.params?.url;
    const what: Record<string, () => unknown> = {
      'elicitation/create': () => (params.mode === 'url' ? params.url : text(params.message)),
      'elicitation/complete': () => known(params.elicitationId) ?? 'unknown',
      'sampling/createMessage': () => (params.messages as { content: { text: string } }[])[0]?.content.text,
      message: () => `${params.level} ${params.data}`,
      progress: () => `${params.progress}/${params.total}`,
      'resources/updated': () => String(params.uri).slice(String(this.#board).length),
      cancelled: () => this.#question(params.requestId),
    };
    return [short, what[short]?.()].filter((word) => word !== undefined).join(' ');
  }

  /** What a request of the server was, by its id. */
  #question(id: unknown): string {
    const asked = this.raw.findLast((one) => one.id === id && one.method !== undefined);
    return asked ? this.#inWords(asked) : 'unknown';
  }
}

/** The original URI of the resource that everything hangs from. */
export const BOARD = 'note://board';

/** A client on an MCP endpoint, whose stream for what belongs to no request is open. */
export async function connect(endpoint: string, carrier: 'http' | 'sse', options: ConnectOptions): Promise<Peer> {
  if (carrier === 'sse') return connected(new SSEClientTransport(new URL(endpoint)), options);
  let opened!: () => void;
  const stream = new Promise<void>((done) => {
    opened = done;
  });
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      if (init?.method === 'GET' && answer.ok) opened();
      return answer;
    },
  });
  const peer = await connected(transport, options);
  await stream;
  return peer;
}

/** A client that starts the fixture itself. */
function connectFixture(options: ConnectOptions): Promise<Peer> {
  const [command, ...args] = STDIO_ASKER.command as [string, ...string[]];
  return connected(new StdioClientTransport({ command, args, stderr: 'inherit' }), options);
}

/** The only client of a gateway that speaks on stdin and stdout. */
export function connectSole(mcpServers: Json, { gateway = {}, ...options }: ConnectOptions & { gateway?: Json }): Promise<Peer> {
  const { defer = deferToTest } = options;
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-clients-'));
  defer(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers, gateway: { ...SETTINGS, ...gateway } }));
  const transport = new StdioClientTransport({ command: process.execPath, args: [MAIN, 'run', '--stdio'], cwd: folder, stderr: 'pipe' });
  return connected(transport, options);
}

async function connected(transport: Transport, options: ConnectOptions): Promise<Peer> {
  const { name, capabilities = EVERYTHING, server, defer = deferToTest } = options;
  const peer = new Peer(name, transport, capabilities, server);
  defer(() => peer.leave().catch(() => {}));
  await peer.connect();
  return peer;
}

/** Waits until everything that was on its way to one of these clients has arrived: once through the gateway, once to all of them. */
export async function quiet(...peers: readonly Peer[]): Promise<void> {
  for (const _ of ['what the backends said is in the gateway', 'and has reached the clients']) for (const peer of peers) await peer.fence();
}

/** The error that a failed request was answered with. */
export async function errorOf(request: Promise<unknown>): Promise<McpError> {
  const error = await request.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof McpError) return error;
  throw new Error(`not an error of the protocol: ${error}`);
}

// Ways to be connected

/** A kind of backend and a way to it. `directly`: without a gateway, as a check of the tests themselves. */
export interface Way {
  readonly title: string;
  readonly backend: 'directly' | 'http' | 'stdio' | 'session';
  readonly carrier: 'http' | 'sse' | 'stdio';
}

export const WAYS = {
  directHttp: { title: 'no gateway, HTTP', backend: 'directly', carrier: 'http' },
  directStdio: { title: 'no gateway, stdio', backend: 'directly', carrier: 'stdio' },
  http: { title: 'a shared HTTP backend', backend: 'http', carrier: 'http' },
  httpSse: { title: 'a shared HTTP backend, clients on /sse', backend: 'http', carrier: 'sse' },
  stdio: { title: 'a shared stdio backend', backend: 'stdio', carrier: 'http' },
  stdioSse: { title: 'a shared stdio backend, clients on /sse', backend: 'stdio', carrier: 'sse' },
  session: { title: 'a stdio backend for each session', backend: 'session', carrier: 'http' },
  sessionSse: { title: 'a stdio backend for each session, clients on /sse', backend: 'session', carrier: 'sse' },
} as const satisfies Record<string, Way>;

export type Connect = (name: string, capabilities?: ClientCapabilities) => Promise<Peer>;

export interface Opened {
  readonly connect: Connect;
  readonly running: Running | undefined;
  readonly asker: Asker | undefined;
}

export interface OpenOptions {
  readonly gateway?: Json;
  /** When the servers end; default: with the test. */
  readonly defer?: Defer;
  /** When the clients leave; default: with the test. */
  readonly clients?: Defer;
}

/** Starts what a way needs. */
export async function open(
  { backend, carrier }: Way,
  { gateway = {}, defer = deferToTest, clients = deferToTest }: OpenOptions = {},
): Promise<Opened> {
  const client = (name: string, capabilities?: ClientCapabilities) => ({ name, defer: clients, ...(capabilities && { capabilities }) });
  if (carrier === 'stdio') return { connect: (...who) => connectFixture(client(...who)), running: undefined, asker: undefined };
  const asker = backend === 'directly' || backend === 'http' ? await startAsker({ defer }) : undefined;
  const entry = asker ? { url: asker.url } : backend === 'session' ? { ...STDIO_ASKER, isolation: 'session' } : STDIO_ASKER;
  const running = backend === 'directly' ? undefined : await startGateway({ asker: entry }, gateway, defer);
  const endpoint = running ? endpointOf(running, carrier) : (asker as Asker).url;
  return { connect: (...who) => connect(endpoint, carrier, { ...client(...who), server: running && 'asker' }), running, asker };
}

/** Where a gateway serves a kind of client. */
export const endpointOf = ({ url }: Running, carrier: 'http' | 'sse'): string => `${url}/${carrier === 'sse' ? 'sse' : 'mcp'}`;

/** Two clients that can do everything. */
export const pairOf = (connect: Connect): Promise<[Peer, Peer]> => Promise.all([connect('a'), connect('b')]);

/** Changes a resource of the fixture; gives the number of connections that were told. */
export const touch = (peer: Peer, path: string): Promise<number> => peer.call<number>('touch', { uri: `${BOARD}${path}` });

/** How often the fixture was asked for news of a resource, and not to tell them any more. */
export async function told(peer: Peer, path: string) {
  const of = async (what: string) => (await peer.heard(`resources/${what}`, { uri: `${BOARD}${path}` })).length;
  return { subscribe: await of('subscribe'), unsubscribe: await of('unsubscribe') };
}
