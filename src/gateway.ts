import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { createSystem } from './actors/system.ts';
import type { Config } from './config/config.ts';
import { createApp } from './http/app.ts';
import { createHostGuard } from './http/guard/host.ts';
import type { inspectRoutes } from './http/inspect.ts';
import { postFromNode } from './http/mcp.ts';
import { type HttpServer, listen } from './http/server.ts';
import { createSessions } from './http/sessions.ts';
import { createStreams, type Streams } from './http/streams.ts';
import type { Log, Reaper } from './io/deps.ts';
import { createReaper } from './io/reaper.ts';
import { serveLines } from './io/stdioServer.ts';
import { createConnection } from './mcp/connection.ts';
import { createContext } from './mcp/context.ts';
import { createMethods } from './mcp/methods/index.ts';
import { createCursors } from './mcp/page.ts';
import { health } from './observe/health.ts';
import { hiddenNotes, narrateHidden } from './observe/hidden.ts';
import type { Inspection } from './observe/inspect.ts';
import { listChanged } from './observe/listChanged.ts';
import { narrate } from './observe/narrate.ts';
import { worldStream } from './observe/world.ts';
import type { World } from './world.ts';

export interface GatewayOptions {
  readonly config: Config;
  /** Environment of the gateway; backends see an allow-list of it. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly log?: Log;
  /** Shown to clients and backends as our version. */
  readonly version?: string;
  /** Live inspection of every machine, from `createInspection`. */
  readonly inspection?: GatewayInspection | undefined;
  /** What `/health` calls the way clients come in. */
  readonly transport?: 'http' | 'stdio';
  /**
   * There is one client, on stdio, and never another: backends may use all it can do, and start once it has said what
   * that is.
   */
  readonly soleClient?: boolean;
}

/** All servers of a configuration behind one endpoint. */
export interface Gateway {
  /** The state of everything, now. */
  readonly world: () => World;
  /** Calls back after each change of the World; returns the unsubscriber. */
  readonly onChange: (listener: () => void) => () => void;
  /** The HTTP application, for tests and for servers of your own. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Opens the listener, then lets the backends start. @throws OnemcpError `port_in_use` */
  listen(): Promise<{ readonly url: string; readonly port: number }>;
  /** Lets the backends start without a listener; with `soleClient` they start when it has said what it can do. */
  start(): void;
  /** Serves one client on a pair of streams, one JSON-RPC message a line. Resolves when the client has gone. */
  serveStdio(streams: { readonly input: Readable; readonly output: Writable }): Promise<void>;
  /** Drains, stops every backend, closes the listener. Calling it again cuts the grace short. */
  close(): Promise<void>;
  /** Ends every process of every backend at once; synchronous, for the last exit path. */
  kill(): void;
}

/** Milliseconds that open connections get after the last answer. */
const CLOSE_GRACE = 1_000;
const SWEEP_INTERVAL = 30_000;

/** Puts the parts together; nothing else in the code base knows them all. */
export function createGateway(options: GatewayOptions): Gateway {
  const { config, env = {}, log = () => {}, version = '0.0.0', inspection, transport = 'http', soleClient = false } = options;
  const { limits } = config;
  const serverInfo = { name: 'onemcp', version };
  let reaper: Reaper | undefined;
  const ports = { now: Date.now, monotonic: () => performance.now(), random: Math.random };
  const redact = redactor(config.secrets);
  const now = () => performance.now();

  const system = createSystem({
    config,
    io: {
      limits,
      log,
      env,
      redact,
      // Just before the first program starts: it costs a spawn, and the listener is to be open before.
      get reaper() {
        reaper ??= createReaper({ cookie: randomUUID(), log });
        return reaper;
      },
    },
    ports,
    clientInfo: serverInfo,
    settle: (signal) => context.traffic.settled(signal),
    declare: (spec, instance) => context.connections.declare(spec, instance),
    inspect: inspection?.observer as Inspection['observer'] | undefined,
  });
  system.start();

  const specs = new Map(config.backends.map((spec) => [spec.name, spec]));
  const { context, close: closeContext } = createContext({
    world: system.world,
    onChange: system.onChange,
    naming: { prefix: config.prefix, maxLength: limits['name.maxLength'] },
    limits,
    serverInfo,
    now,
    epoch: ports.now,
    sole: soleClient,
    instructions: config.instructions,
    extensions: config.passthroughExtensions,
    samplingContext: (backend) => specs.get(backend)?.samplingContext ?? false,
    need: system.need,
    release: system.release,
    log: (level, event, { message, ...facts }) =>
      log(level, event, { ...facts, ...(message !== undefined && { message: redact(String(message)) }) }),
  });
  const methods = createMethods(createCursors(randomBytes(32)));
  const onBug = (error: unknown) => log('error', 'internal', { message: `unexpected error: ${(error as Error)?.stack ?? String(error)}` });

  const streams = createStreams({ keepAlive: limits['sse.keepAlive'], queueBytes: limits['sse.queueBytes'] });
  const sessions = createSessions({ limits, now, streams });
  const mcp = { context, methods, sessions, streams, onBug };
  const guard = createHostGuard({ trustedHosts: [config.host, ...config.trustedHosts], allowedOrigins: config.allowedOrigins });
  const app = createApp({
    guard,
    mcp,
    legacySse: config.legacySse,
    health: {
      world: system.world,
      health: () => {
        const { heapUsed, heapTotal, rss } = process.memoryUsage();
        const world = system.world();
        const hidden = hiddenNotes(context.view(world), redact);
        return health(world, { version, uptime: process.uptime(), heapUsed, heapTotal, rss, now: ports.now(), transport, hidden });
      },
    },
    inspect: inspection?.routes(streams) as ReturnType<typeof inspectRoutes> | undefined,
  });
  /** The hot path: a POST to /mcp behind the same guard as every other route, without a `Request` and `Response` of its own. */
  const express = (incoming: IncomingMessage, outgoing: ServerResponse): boolean => {
    if (incoming.method !== 'POST' || incoming.url !== '/mcp') return false;
    if (guard(incoming.headers.host, incoming.headers.origin)) return false;
    postFromNode(incoming, outgoing, mcp);
    return true;
  };

  const channels = new Set<ReturnType<typeof createConnection>>();
  const world$ = worldStream(system);
  const narration = narrate(world$, log);
  narration.add(narrateHidden(world$, { view: context.view, redact }, log));
  const notifications = listChanged(world$, { view: context.view, quiet: limits['batch.quiet'], max: limits['batch.max'] }).subscribe(
    (kinds) => {
      try {
        sessions.announce(kinds);
        for (const { session } of channels) session?.announce(kinds);
      } catch (error) {
        onBug(error);
      }
    },
  );
  const sweeper = setInterval(() => {
    sessions.sweep();
    context.connections.sweep();
  }, SWEEP_INTERVAL).unref();
  let server: HttpServer | undefined;
  let closing: Promise<void> | undefined;

  let ran = false;
  const run = () => {
    if (ran) return;
    ran = true;
    context.startedAt = now();
    system.run();
  };
  const shutDown = async () => {
    await system.drain();
    sessions.closeAll();
    streams.endAll();
    for (const channel of channels) channel.close();
    await server?.close(CLOSE_GRACE);
    clearInterval(sweeper);
    closeContext();
    narration.unsubscribe();
    notifications.unsubscribe();
    reaper?.close();
  };

  return {
    world: system.world,
    onChange: system.onChange,
    fetch: (request) => app.fetch(request),
    async listen() {
      server = await listen({ fetch: app.fetch as never, express, host: config.host, port: config.port, limits });
      run();
      return { url: server.url, port: server.port };
    },
    start() {
      if (!soleClient) run();
    },
    async serveStdio({ input, output }) {
      const onLine = (text: string) => {
        connection.receive(text);
        if (connection.session) run();
      };
      const lines = serveLines({ input, output, maxBytes: limits['message.maxBytes'], onLine });
      const connection = createConnection({ context, methods, onBug }, lines.write);
      channels.add(connection);
      await lines.ended;
      channels.delete(connection);
      connection.close();
    },
    close() {
      if (closing) void system.drain();
      closing ??= shutDown();
      return closing;
    },
    kill: () => reaper?.killAll(),
  };
}

export interface InspectionOptions {
  readonly mode: 'page' | 'stately';
  /** Events kept for a page that opens later. */
  readonly history: number;
  readonly redact: (text: string) => string;
}

/** What a gateway needs to be inspected. Opaque, so that the types of the package need no other package. */
export interface GatewayInspection {
  /** Where the page is, token included: append it to the URL of the gateway. */
  readonly path: string;
  /** For `createActor(…, { inspect })`. */
  readonly observer: object;
  /** Hono routes for `/inspect`. */
  readonly routes: (streams: object) => object;
}

/** Live inspection, loaded only when it is wanted: it makes every event dearer. */
export async function createInspection(options: InspectionOptions): Promise<GatewayInspection> {
  const [observe, http] = await Promise.all([import('./observe/inspect.ts'), import('./http/inspect.ts')]);
  const inspection = observe.createInspection({ ...options, token: randomBytes(32).toString('base64url') });
  const { observer, path } = inspection;
  return { observer, path, routes: (streams) => http.inspectRoutes({ inspection, streams: streams as Streams }) };
}

/** Replaces secret values, wherever they stand, also when they were URL-encoded or put into JSON. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]));
  const longestFirst = [...forms].filter((form) => form.length >= 6).sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return (text) => text;
  return (text) => longestFirst.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
}
