import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSystem } from './actors/system.ts';
import { createAlerting } from './alerts.ts';
import type { BackendSpec, Config, ConfigSource, Planned, PlanVariables, Reloaded } from './config/config.ts';
import { createControl } from './control.ts';
import { createApp } from './http/app.ts';
import { controlListener } from './http/control.ts';
import type { ControlOps } from './http/controlOps.ts';
import { createHostGuard } from './http/guard/host.ts';
import { createProxies } from './http/guard/proxies.ts';
import type { inspectRoutes } from './http/inspect.ts';
import { postFromNode } from './http/mcp.ts';
import { type HttpServer, listen } from './http/server.ts';
import { createSessions } from './http/sessions.ts';
import { createStreams, type Streams } from './http/streams.ts';
import { type ControlServer, openControl } from './io/controlSocket.ts';
import type { Log, Reaper } from './io/deps.ts';
import { createReaper } from './io/reaper.ts';
import { createStderrBook } from './io/stderrBook.ts';
import { serveLines } from './io/stdioServer.ts';
import { type Catalogs, type CatalogsOptions, createCatalogs, type Known } from './io/stores/catalogs.ts';
import { createFileStore } from './io/stores/file.ts';
import { mapTexts } from './json.ts';
import { createConnection } from './mcp/connection.ts';
import { createContext } from './mcp/context.ts';
import { createMethods } from './mcp/methods/index.ts';
import { createCursors } from './mcp/page.ts';
import { metricsOf } from './metrics.ts';
import { health, shownSource, sourceProblems } from './observe/health.ts';
import { hiddenNotes, narrateHidden } from './observe/hidden.ts';
import { createHistory } from './observe/history.ts';
import type { Inspection } from './observe/inspect.ts';
import { listChanged } from './observe/listChanged.ts';
import { narrate } from './observe/narrate.ts';
import { createRedactor, type Redactor } from './observe/redact.ts';
import { type KnownView, remember } from './observe/remember.ts';
import { createTally, type ReloadResult } from './observe/tally.ts';
import { narrateToolChanges } from './observe/toolChanges.ts';
import { worldStream } from './observe/world.ts';
import { createReloader } from './reload.ts';
import { startTracing } from './tracing.ts';
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
  /** Where the configuration comes from, to read it again when it changes or when somebody asks. Default: it never changes. */
  readonly source?: ConfigSource;
  /** Takes the secrets out of what is logged and shown; give the one of your log, so that it learns of new ones. */
  readonly redactor?: Redactor;
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
  /** Reads the configuration again and applies it; one with errors changes nothing. Missing without a `source`. */
  readonly reload?: () => Promise<Reloaded>;
  /** What a reload would change, of another file or under other variables if they are given. Missing without a `source`. */
  readonly plan?: (other?: string, variables?: PlanVariables) => Promise<Planned>;
  /** What operators can see and ask. */
  readonly control: ControlOps;
  /**
   * Serves `control` on a socket of this user alone, at the first of these paths that can be used, until the end.
   * @throws OnemcpError `busy` when another gateway answers there, `port_in_use` when none of them can be used
   */
  openControl(paths: readonly string[]): Promise<{ readonly path: string }>;
  /** Drains, stops every backend, closes the listener. Calling it again cuts the grace short. */
  close(): Promise<void>;
  /** Ends every process of every backend at once; synchronous, for the last exit path. */
  kill(): void;
}

/** Milliseconds that open connections get after the last answer. */
const CLOSE_GRACE = 1_000;
const SWEEP_INTERVAL = 30_000;
/** Milliseconds that a state folder which does not answer may delay the end. */
const SAVE_GRACE = 2_000;

/** Puts the parts together; nothing else in the code base knows them all. */
export function createGateway(options: GatewayOptions): Gateway {
  const { config, env = {}, log = () => {}, version = '0.0.0', inspection, transport = 'http', soleClient = false } = options;
  const { limits, features } = config;
  const serverInfo = { name: 'onemcp', version };
  let reaper: Reaper | undefined;
  const ports = { now: Date.now, monotonic: () => performance.now(), random: Math.random };
  const { redactor = createRedactor() } = options;
  redactor.learn(config.secrets);
  const { redact } = redactor;
  const tracing = startTracing(config, { log, redact, version, now: ports.now });
  const source = options.source && tracing ? tracing.watched(options.source) : options.source;
  const now = () => performance.now();

  const catalogs = openCatalogs(config, { log, redact, now: ports.now });

  const stderr = createStderrBook({ lines: limits['stderr.lines'], bytes: limits['stderr.keptBytes'], now: ports.now });
  const system = createSystem({
    config,
    io: {
      limits,
      log,
      env,
      redact,
      keepStderr: stderr.add,
      // Just before the first program starts: it costs a spawn, and the listener is to be open before.
      get reaper() {
        reaper ??= createReaper({ cookie: randomUUID(), log });
        return reaper;
      },
    },
    ports,
    clientInfo: serverInfo,
    async settle(signal) {
      if (limits.drainDelay > 0) await sleep(limits.drainDelay, undefined, { signal });
      await context.traffic.settled(signal);
    },
    declare: (spec, instance) => context.connections.declare(spec, instance),
    memory: catalogs,
    isHeld: (name) => context.subscriptions.isHeld(name),
    inspect: inspection?.observer as Inspection['observer'] | undefined,
  });
  system.start();

  let specs = specsOf(config);
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
    counts: features.metrics,
    need: system.need,
    release: system.release,
    wake: system.wake,
    log: (level, event, { message, ...facts }) =>
      log(level, event, { ...facts, ...(message !== undefined && { message: redact(String(message)) }) }),
  });
  const methods = createMethods(createCursors(randomBytes(32)));
  const onBug = (error: unknown) => log('error', 'internal', { message: `unexpected error: ${(error as Error)?.stack ?? String(error)}` });

  const streams = createStreams({ keepAlive: limits['sse.keepAlive'], queueBytes: limits['sse.queueBytes'] });
  const sessions = createSessions({ limits, now, streams });
  const mcp = { context, methods, sessions, streams, onBug };
  const proxies = createProxies(config.trustedProxies);
  const guard = createHostGuard({ ...trusted(config), proxies });
  const address = () => config.publicUrl ?? server?.url;
  const world$ = worldStream(system);
  tracing?.follow(world$);
  const tally = features.metrics ? createTally(world$) : undefined;
  const sources = () => (source?.sources?.() ?? []).map((state) => shownSource(state, redact));
  const problems = () => [...(remembering?.problems() ?? []), ...sourceProblems(sources())];
  const sessionCount = () => sessions.size + [...channels].filter(({ session }) => session).length;
  const app = createApp({
    guard,
    mcp,
    metrics:
      tally &&
      metricsOf({
        context,
        tally,
        version,
        problems,
        spec: (name) => specs.get(name),
        sessions: sessionCount,
        eventStreams: () => streams.size,
      }),
    legacySse: features.legacySse,
    openapi: features.openapi,
    publicUrl: config.publicUrl,
    health: {
      world: system.world,
      details: config.healthDetails,
      explain: (name) => control.why(name),
      proxies,
      health: () => {
        const { heapUsed, heapTotal, rss } = process.memoryUsage();
        const world = system.world();
        const hidden = hiddenNotes(context.view(world), redact);
        const memory = { heapUsed, heapTotal, rss };
        const facts = { hidden, waitingFor: context.lanes.statusOf, problems: problems(), sources: sources() };
        const document = health(world, { version, uptime: process.uptime(), ...memory, now: ports.now(), transport, ...facts });
        // It quotes what servers and files say.
        return mapTexts(document, redact) as typeof document;
      },
    },
    inspect: inspection?.routes(streams) as ReturnType<typeof inspectRoutes> | undefined,
  });
  /** The hot path: a POST to /mcp behind the same guard as every other route, without a `Request` and `Response` of its own. */
  const express = (incoming: IncomingMessage, outgoing: ServerResponse): boolean => {
    if (incoming.method !== 'POST' || incoming.url !== '/mcp') return false;
    if (guard(incoming.headers, incoming.socket)) return false;
    postFromNode(incoming, outgoing, mcp);
    return true;
  };

  const channels = new Set<ReturnType<typeof createConnection>>();
  const narration = narrate(world$, log);
  narration.add(narrateToolChanges(world$, log));
  const history = createHistory(world$, { most: limits['history.transitions'], redact, now: ports.now });
  narration.add(history.subscription);
  const onApply = (next: Config) => {
    specs = specsOf(next);
  };
  const onResult = (result: ReloadResult) => {
    tally?.reloaded(result);
    tracing?.reloaded(result);
  };
  const reloader = source && createReloader({ source, config, system, learn: redactor.learn, log, onApply, onResult });
  const startedAt = ports.now();
  const control = createControl({
    world: system.world,
    onChange: system.onChange,
    operate: system.operate,
    facts: () => ({ version, pid: process.pid, url: address(), startedAt, now: ports.now(), story: history.of, sources: sources() }),
    spec: (name) => specs.get(name),
    limits,
    redact,
    reload: reloader?.reload,
    plan: reloader?.plan,
    stderr,
    muteAlerts: config.webhooks && ((name, ms) => alerting?.mute(name, ms) ?? false),
  });
  narration.add(narrateHidden(world$, { view: context.view, redact }, log));
  const remembering =
    catalogs &&
    remember(world$, {
      delay: limits['catalog.saveDelay'],
      save: (known) => catalogs.save(known.flatMap((view) => knownOf(view, specs.get(view.name)))),
      log,
    });
  const batches = { quiet: limits['batch.quiet'], max: limits['batch.max'] };
  const notifications = listChanged(world$, { view: context.view, onChange: tally?.changed, ...batches }).subscribe((kinds) => {
    tally?.announced(kinds);
    try {
      sessions.announce(kinds);
      for (const { session } of channels) session?.announce(kinds);
    } catch (error) {
      onBug(error);
    }
  });
  const sweeper = setInterval(() => {
    sessions.sweep();
    context.connections.sweep();
  }, SWEEP_INTERVAL).unref();
  let server: HttpServer | undefined;
  let controlServer: ControlServer | undefined;
  let closing: Promise<void> | undefined;
  const alerting = createAlerting(config, { world$, log, redact, version, url: address, problems });

  let ran = false;
  const run = () => {
    if (ran) return;
    ran = true;
    if (!tracing) return begin();
    // Nothing is to happen untraced.
    void tracing.loaded.then((requests) => {
      context.tracing = requests;
      begin();
    });
  };
  const begin = () => {
    context.startedAt = now();
    system.run();
  };
  const shutDown = async () => {
    reloader?.close();
    const told = alerting?.close();
    const saved = remembering?.close().then(() => catalogs?.close());
    await system.drain();
    const traced = tracing?.close();
    await told;
    await Promise.race([saved, sleep(SAVE_GRACE, undefined, { ref: false })]);
    sessions.closeAll();
    streams.endAll();
    for (const channel of channels) channel.close();
    await server?.close(CLOSE_GRACE);
    clearInterval(sweeper);
    closeContext();
    narration.unsubscribe();
    notifications.unsubscribe();
    tally?.subscription.unsubscribe();
    await controlServer?.close();
    await traced;
    reaper?.close();
  };

  return {
    world: system.world,
    onChange: system.onChange,
    fetch: (request) => app.fetch(request),
    async listen() {
      const onUnread = (connections: number) => {
        tally?.closedUnread(connections);
        log('warn', 'http.unread_closed', { message: `${connections} connections were closed: their clients do not read`, connections });
      };
      server = await listen({ fetch: app.fetch as never, express, host: config.host, port: config.port, limits, onUnread });
      run();
      return { url: server.url, port: server.port };
    },
    start() {
      if (!soleClient) run();
    },
    control,
    async openControl(paths) {
      controlServer = await openControl(paths, controlListener(control, soleClient ? undefined : mcp));
      return { path: controlServer.path };
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
    ...(reloader && { reload: reloader.reload, plan: reloader.plan }),
    close() {
      if (closing) void system.drain();
      closing ??= shutDown();
      return closing;
    },
    kill: () => reaper?.killAll(),
  };
}

/** What backends offered when they were last seen; undefined where nothing outlives a run. */
function openCatalogs(
  { stateDir, file, limits, features }: Config,
  ports: Pick<CatalogsOptions, 'log' | 'redact' | 'now'>,
): Catalogs | undefined {
  if (stateDir === undefined || !features.catalog) return undefined;
  const maxBytes = limits['catalog.maxBytes'];
  // The limit is for the lists; a document has a little more around them.
  const store = createFileStore({ folder: join(stateDir, 'catalog'), maxBytes: maxBytes + 64 * 1024, log: ports.log });
  return createCatalogs({ store, file, maxBytes, ...ports });
}

/** A view as it is kept; with the time at which its lists were read. */
const knownOf = ({ items, info, remembered, lastConnected }: KnownView, spec: BackendSpec | undefined): readonly Known[] =>
  spec ? [{ spec, items, info, at: remembered ?? lastConnected ?? 0 }] : [];

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

/** Names and origins that are ours; those of the public address, too. */
function trusted({ host, trustedHosts, allowedOrigins, publicUrl }: Config) {
  const own = publicUrl === undefined ? undefined : new URL(publicUrl);
  return {
    trustedHosts: [host, ...trustedHosts, ...(own ? [own.hostname.replace(/^\[(.*)\]$/, '$1')] : [])],
    allowedOrigins: [...allowedOrigins, ...(own ? [own.origin] : [])],
  };
}

const specsOf = ({ backends }: Config) => new Map(backends.map((spec) => [spec.name, spec]));

export { type ToolChange, toolChanges } from './mcp/changes.ts';
export { type Probe, probeBackends } from './probe.ts';
export { createRedactor };
