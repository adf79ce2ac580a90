/**
 * Every limit, timeout and default of the gateway, in one table. A key with a dot is a nested option:
 * `restart.initial` is written `"gateway": { "restart": { "initial": "500ms" } }`.
 */

/** `ms` options take a number of milliseconds or text such as "500ms", "10s", "5m"; `bytes` a number or "4MiB". */
export type Unit = 'ms' | 'bytes' | 'count';

interface Limit {
  readonly default: number;
  readonly unit: Unit;
  readonly help: string;
}

// biome-ignore format: a table, one row an option
export const LIMITS = {
  initialWait: { default: 5_000, unit: 'ms', help: 'How long after start the first lists wait for backends that are still starting; 0 never waits.' },
  callWait: { default: 10_000, unit: 'ms', help: 'How long a call waits for a backend that is starting or retrying before it is answered "unavailable".' },
  wakeWait: { default: 30_000, unit: 'ms', help: 'How long a call waits for a sleeping backend that it woke to start.' },
  startTimeout: { default: 30_000, unit: 'ms', help: 'Spawn or connect, handshake and first lists of one backend.' },
  installTimeout: { default: 300_000, unit: 'ms', help: 'The same until the first connection, for programs that fetch their packages when they start (npx, uvx, docker, …).' },
  requestTimeout: { default: 60_000, unit: 'ms', help: 'Longest silence of a backend on one request; progress resets it.' },
  requestTotalTimeout: { default: 900_000, unit: 'ms', help: 'Longest duration of one request, whatever progress it reports.' },
  humanTimeout: { default: 600_000, unit: 'ms', help: 'How long a client may take to answer an elicitation, a sampling or a roots request of a backend; the backend\'s own request waits that long more.' },
  humanTotalTimeout: { default: 1_800_000, unit: 'ms', help: 'Longest time by which answers of people may extend requestTotalTimeout of one request.' },
  listTimeout: { default: 15_000, unit: 'ms', help: 'One page of a list of a backend.' },
  drainTimeout: { default: 10_000, unit: 'ms', help: 'How long calls in flight may finish after SIGTERM.' },
  drainDelay: { default: 0, unit: 'ms', help: 'How long after SIGTERM the gateway answers even when nothing is in flight, so that load balancers see that it is not ready; part of drainTimeout.' },
  shutdownTimeout: { default: 15_000, unit: 'ms', help: 'Longest duration of the whole shutdown.' },
  startsAtOnce: { default: 8, unit: 'count', help: 'Backends that may be launching at the same time.' },
  startSlot: { default: 3_000, unit: 'ms', help: 'How long a launching backend counts against startsAtOnce; a slower one no longer holds others up.' },
  'restart.initial': { default: 500, unit: 'ms', help: 'Lower bound of the first restart delay, which is at most twice as long; both double with each failure.' },
  'restart.max': { default: 30_000, unit: 'ms', help: 'Upper bound of any restart delay.' },
  'restart.resetAfter': { default: 60_000, unit: 'ms', help: 'Good running time after which the restart delay starts again from restart.initial.' },
  'restart.failures': { default: 5, unit: 'count', help: 'Failures of a backend within restart.within after which it is `failed`: it is probed now and then instead of restarted.' },
  'restart.within': { default: 60_000, unit: 'ms', help: 'The sliding window of restart.failures.' },
  'probe.initial': { default: 30_000, unit: 'ms', help: 'Time until a failed backend is tried again; doubles with each probe that fails.' },
  'probe.max': { default: 300_000, unit: 'ms', help: 'Longest time between two probes of a failed backend.' },
  'ping.interval': { default: 30_000, unit: 'ms', help: 'Silence of a connected backend with no request in flight after which it is asked for a sign of life; 0 never asks.' },
  'ping.timeout': { default: 10_000, unit: 'ms', help: 'Time for a backend to answer a ping.' },
  'ping.misses': { default: 2, unit: 'count', help: 'Pings in a row without an answer after which a backend is killed and restarted; one is enough after a request that timed out.' },
  idleTimeout: { default: 0, unit: 'ms', help: 'Time without a request after which a backend is stopped until the next one; its lists stay. 0 never stops one.' },
  maxMemory: { default: 0, unit: 'bytes', help: 'Memory (RSS) of the processes of a stdio backend beyond which it is replaced, its calls in flight finished; 0 never looks.' },
  'memory.interval': { default: 10_000, unit: 'ms', help: 'Time between two looks at the memory of backends that have maxMemory.' },
  maxConcurrency: { default: 128, unit: 'count', help: 'Requests in flight at one backend; more wait in its queue.' },
  maxQueue: { default: 128, unit: 'count', help: 'Requests waiting for one backend, served in turns of their clients; more are refused as busy.' },
  queueTimeout: { default: 5_000, unit: 'ms', help: 'How long a request waits in the queue of a busy backend before it is refused as busy.' },
  'stop.stdin': { default: 2_000, unit: 'ms', help: 'Wait after the end of stdin before SIGTERM goes to the process group.' },
  'stop.term': { default: 2_000, unit: 'ms', help: 'Wait after SIGTERM before SIGKILL goes to the process group.' },
  'log.maxBytes': { default: 10 * 1024 * 1024, unit: 'bytes', help: 'Size of the file of `--log-file` at which it is moved to `FILE.1`, that one to `FILE.2` and so on; 0 never.' },
  'log.files': { default: 5, unit: 'count', help: 'Files of the log that are kept, the one that is written to included.' },
  'stderr.lines': { default: 1_000, unit: 'count', help: 'Lines of stderr kept of each backend for `onemcp logs`, within stderr.keptBytes.' },
  'stderr.keptBytes': { default: 256 * 1024, unit: 'bytes', help: 'Size of the lines of stderr that are kept of each backend for `onemcp logs`.' },
  'batch.quiet': { default: 300, unit: 'ms', help: 'Silence that ends a batch of catalog changes.' },
  'batch.max': { default: 2_000, unit: 'ms', help: 'Longest time a catalog change waits for its batch to end.' },
  'refresh.interval': { default: 1_000, unit: 'ms', help: 'Shortest time between two refreshes of one list of a backend.' },
  'flood.messages': { default: 200, unit: 'count', help: 'Notifications and requests of one backend a second that are looked at; beyond, notifications are dropped and counted, and reading from it is slowed down.' },
  'flood.progress': { default: 10, unit: 'count', help: 'Progress notifications of one request a second that its client gets; of more, the newest.' },
  'catalog.saveDelay': { default: 1_000, unit: 'ms', help: 'Time after a change of the lists of a backend until they are written to the state folder, from which the next start has them at once.' },
  'catalog.maxBytes': { default: 64 * 1024 * 1024, unit: 'bytes', help: 'Size of the lists that are written to the state folder; what is beyond is left out.' },
  'reload.quiet': { default: 200, unit: 'ms', help: 'Silence after an edit of the configuration file before it is read.' },
  'reload.max': { default: 2_000, unit: 'ms', help: 'Longest time that edits which do not end keep the configuration file from being read.' },
  'reload.timeout': { default: 30_000, unit: 'ms', help: 'Time for the configuration file and its secrets to be read when it changed.' },
  'reload.poll': { default: 5_000, unit: 'ms', help: 'Time between two looks at the configuration file, for file systems that do not tell of changes; 0 trusts them.' },
  'discovery.wait': { default: 2_000, unit: 'ms', help: 'How long a start waits for the first answer of discovery.docker and discovery.kubernetes; what comes later is added then. 0 never waits.' },
  'discovery.retryInitial': { default: 1_000, unit: 'ms', help: 'Time until a source of servers that failed is asked again; doubles with each failure.' },
  'discovery.retryMax': { default: 60_000, unit: 'ms', help: 'Longest time between two attempts at a source of servers that fails.' },
  'alerts.after': { default: 10_000, unit: 'ms', help: 'How long something has to be wrong without a break before an alert is sent.' },
  'alerts.recoverAfter': { default: 30_000, unit: 'ms', help: 'How long it has to be well again before its recovery is sent.' },
  'alerts.crashes': { default: 3, unit: 'count', help: 'Failures of a backend in a row, without restart.resetAfter of good running between them, that are a crash loop, although it is connected now and then.' },
  'alerts.flaps': { default: 3, unit: 'count', help: 'Incidents of one server within alerts.flapWindow that are told one by one; the next one is told as "flapping", and the rest not at all.' },
  'alerts.flapWindow': { default: 1_800_000, unit: 'ms', help: 'The sliding window of alerts.flaps.' },
  'alerts.calm': { default: 600_000, unit: 'ms', help: 'How long something that was flapping has to stay as it is before alerts of it are sent again.' },
  'alerts.timeout': { default: 10_000, unit: 'ms', help: 'Time for the receiver of an alert to answer.' },
  'alerts.attempts': { default: 8, unit: 'count', help: 'How often an alert is sent to a receiver that cannot be reached, or answers 429 or 5xx, before it is given up.' },
  'alerts.retryInitial': { default: 1_000, unit: 'ms', help: 'Time until an alert is sent again; doubles with each failure, and up to half of it is left to chance.' },
  'alerts.retryMax': { default: 60_000, unit: 'ms', help: 'Longest time between two attempts, unless the receiver asks for more (Retry-After, at most 5 min).' },
  'alerts.queue': { default: 100, unit: 'count', help: 'Alerts that wait for one receiver; beyond, the oldest of the same incident is dropped, or the oldest of all.' },
  'alerts.flushTimeout': { default: 3_000, unit: 'ms', help: 'How long the end of the gateway waits for alerts that are still to be sent.' },
  'secrets.timeout': { default: 10_000, unit: 'ms', help: 'Time for one secret to be read by one provider.' },
  'secrets.maxBytes': { default: 64 * 1024, unit: 'bytes', help: 'Size of one secret; a larger one is refused.' },
  'secrets.poll': { default: 300_000, unit: 'ms', help: 'Time between two looks at secrets of providers that do not tell of changes (exec, vault); 0 never looks. Files and the store are watched.' },
  'history.transitions': { default: 50, unit: 'count', help: 'State changes of each backend that are kept for `onemcp why`.' },
  'list.pageSize': { default: 1_000, unit: 'count', help: 'Items on one page of a list answer.' },
  'list.pageBytes': { default: 1024 * 1024, unit: 'bytes', help: 'Size of the items on one page of a list answer, as JSON text; one item is always given.' },
  'list.maxPages': { default: 1_000, unit: 'count', help: 'Pages read from a backend for one list.' },
  'list.maxItems': { default: 50_000, unit: 'count', help: 'Items read from a backend for one list.' },
  'list.maxBytes': { default: 32 * 1024 * 1024, unit: 'bytes', help: 'Size of all pages of one list of a backend, as JSON text.' },
  'list.totalTimeout': { default: 60_000, unit: 'ms', help: 'Time for all pages of one list of a backend.' },
  'item.maxName': { default: 128, unit: 'count', help: 'Characters of the name that a backend gives a tool or a prompt; one with a longer name is left out.' },
  'item.maxDescription': { default: 8 * 1024, unit: 'bytes', help: 'Length of a description or a title of a backend; what is beyond is cut off.' },
  'item.maxBytes': { default: 1024 * 1024, unit: 'bytes', help: 'About the size of one tool, prompt or resource in a list of a backend as JSON text, its schemas included; a larger one is left out.' },
  'item.maxDepth': { default: 256, unit: 'count', help: 'Nesting of one tool, prompt or resource in a list of a backend; a deeper one is left out.' },
  'instance.max': { default: 32, unit: 'count', help: 'Connections to one backend besides its first: for single clients, or for clients with the same capabilities.' },
  'instance.idle': { default: 1_800_000, unit: 'ms', help: 'Time without a call after which such a connection is ended; the next call starts it again.' },
  'message.maxBytes': { default: 16 * 1024 * 1024, unit: 'bytes', help: 'One message of a backend; a longer one is discarded while it streams and fails only its call.' },
  'message.fatalBytes': { default: 64 * 1024 * 1024, unit: 'bytes', help: 'A single line of a stdio backend beyond this restarts the backend.' },
  'message.queueBytes': { default: 16 * 1024 * 1024, unit: 'bytes', help: 'Bytes waiting to be read by a stdio backend before calls to it are refused.' },
  'message.drainTimeout': { default: 30_000, unit: 'ms', help: 'Time in which a stdio backend must read some of what waits for it, or it is killed and restarted; a tenth of it once message.queueBytes are waiting.' },
  'stderr.ringBytes': { default: 64 * 1024, unit: 'bytes', help: 'Tail of the stderr of a backend that is kept for error reports.' },
  'http.bodyBytes': { default: 4 * 1024 * 1024, unit: 'bytes', help: 'Body of a request to the gateway.' },
  'http.jsonDepth': { default: 256, unit: 'count', help: 'Nesting of a JSON message sent to the gateway.' },
  'http.headersTimeout': { default: 10_000, unit: 'ms', help: 'Time for a client to send its request headers.' },
  'http.requestTimeout': { default: 30_000, unit: 'ms', help: 'Time for a client to send its whole request.' },
  'http.keepAliveTimeout': { default: 75_000, unit: 'ms', help: 'Idle time of a kept connection.' },
  'http.maxConnections': { default: 1_024, unit: 'count', help: 'Open connections to the gateway.' },
  'http.unreadBytes': { default: 16 * 1024 * 1024, unit: 'bytes', help: 'Bytes of answers and events that are queued for clients that do not read, on all connections together; beyond it connections are closed, those first whose clients took something longest ago.' },
  'http.writeTimeout': { default: 30_000, unit: 'ms', help: 'Time for a client to take some of what is queued for it, or its connection is closed; 0 never closes one.' },
  'sse.keepAlive': { default: 15_000, unit: 'ms', help: 'Interval of keep-alive comments on an event stream.' },
  'sse.queueBytes': { default: 1024 * 1024, unit: 'bytes', help: 'Bytes queued for a client that does not read its event stream; beyond it the stream is closed. A larger event waits until everything before it was read.' },
  'sse.upgradeAfter': { default: 1_000, unit: 'ms', help: 'A request still running after this long is answered as an event stream, if the client accepts one.' },
  'sse.retry': { default: 3_000, unit: 'ms', help: 'Reconnection time that clients are told on event streams.' },
  'sse.maxConnection': { default: 0, unit: 'ms', help: 'Age at which the connection of an event stream is closed, so that the client polls for the rest; 0 never closes one.' },
  'sse.replayEvents': { default: 1_000, unit: 'count', help: 'Events of one event stream that are kept for a client that comes back.' },
  'sse.replayBytes': { default: 4 * 1024 * 1024, unit: 'bytes', help: 'Bytes of all event streams of one session, with what keeping them costs, that are kept for a client that comes back; answers it has not got yet are kept beyond.' },
  'sse.replayTotalBytes': { default: 32 * 1024 * 1024, unit: 'bytes', help: 'Bytes of all event streams of all sessions, with what keeping them costs, that are kept for clients that come back, answers included; beyond it the oldest streams are forgotten, those without a connection first.' },
  'sse.replayFor': { default: 300_000, unit: 'ms', help: 'How long an event stream is kept after its end.' },
  'session.idle': { default: 1_800_000, unit: 'ms', help: 'Idle time after which a session ends.' },
  'session.absolute': { default: 86_400_000, unit: 'ms', help: 'Longest life of a session.' },
  'session.max': { default: 8_192, unit: 'count', help: 'Sessions at the same time.' },
  'session.maxInFlight': { default: 64, unit: 'count', help: 'Requests in flight of one session.' },
  'session.maxSubscriptions': { default: 1_000, unit: 'count', help: 'Resources one session may be subscribed to.' },
  'name.maxLength': { default: 64, unit: 'count', help: 'Longest exposed tool or prompt name; at least 48.' },
  metricsCache: { default: 1_000, unit: 'ms', help: 'How long a text of /metrics is given out again before the next one is made; 0 makes one each time.' },
  'traces.queue': { default: 2_048, unit: 'count', help: 'Spans that wait to be sent; beyond it new ones are dropped.' },
  'traces.batch': { default: 512, unit: 'count', help: 'Most spans sent at once.' },
  'traces.delay': { default: 5_000, unit: 'ms', help: 'How long a span waits for others before they are sent together.' },
  'traces.timeout': { default: 10_000, unit: 'ms', help: 'Time for the receiver of traces to take a batch, further attempts included.' },
  'traces.flushTimeout': { default: 2_000, unit: 'ms', help: 'How long the end of the gateway waits for spans that are still to be sent.' },
  'inspect.history': { default: 1_000, unit: 'count', help: 'Inspection events kept for a page that opens later.' },
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;

/** The value in force of every limit, in its unit. */
export type Limits = Readonly<Record<LimitName, number>>;

/** The defaults, with some replaced. */
export function limitsWith(changed: Partial<Limits> = {}): Limits {
  const defaults = Object.fromEntries(Object.entries(LIMITS).map(([name, { default: value }]) => [name, value]));
  return { ...defaults, ...changed } as Limits;
}
