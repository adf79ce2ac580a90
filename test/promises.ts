/**
 * What the product promises, one line each: id → sentence (where it is asked for). Ids with a letter and a number are
 * those of the gateway semantics §9, `R…` of the reliability rules.
 */
export const PROMISES = {
  // A. Handshake, capabilities
  A1: 'initialize is answered at once with full capabilities although a backend never answers (semantics §9.1)',
  A2: 'A client gets the protocol version it asks for, whatever the backends speak (semantics §9.2)',
  A3: 'An unknown or modern version in initialize is answered with 2025-11-25, never with an error (semantics §9.3)',
  A6: 'A server without session ids and without a GET stream is served, and not asked for either again (semantics §9.6)',
  A12: 'Capabilities of known backends are not over-advertised (semantics §9.12)',
  A13: 'A backend not seen yet counts as able to do everything, with listChanged (semantics §9.13)',
  A14: 'MCP Apps are advertised with the mimeTypes of all servers (semantics §9.14)',
  A15: 'Instructions of all backends appear in configuration order under their headings, below the size cap (semantics §9.15)',
  A16: 'notifications/initialized of a client reaches no backend (semantics §9.16)',
  A17: 'ping is answered by the gateway itself although all backends hang (semantics §9.17)',

  // B. Lists
  B21: 'All pages of all backends are listed, in configuration order, then by name; two calls give identical bytes (semantics §9.21)',
  B22: 'A nextCursor of "" is a cursor like any other (semantics §9.22)',
  B23: 'A backend that repeats a cursor for ever is cut, its items are listed once, and health says cursor-loop (semantics §9.23)',
  B24: 'Walking our cursors while lists change lists no item twice and skips none that stayed (semantics §9.24)',
  B25: 'A cursor of another list, or a tampered one, is -32602 (semantics §9.25)',
  B26: 'A list that fails, hangs or is garbage costs nobody else theirs, and health names it (semantics §9.26)',
  B27: 'One bad item is left out and named; the others are listed (semantics §9.27)',
  B28: 'A kind that is advertised but answers -32601 is empty; the other kinds stay (semantics §9.28)',
  B29: 'Every field of an item comes through, known to us or not (semantics §9.29)',
  B30: 'With no backend up a list is empty and marked partial, not an error (semantics §9.30)',
  B31: 'The first list waits for a backend that is ready after 2 s (semantics §9.31)',
  B32: 'The first list does not wait longer than initialWait; a later backend is announced (semantics §9.32)',
  B33: 'Ten backends that become ready within a second cause one list_changed (semantics §9.33)',
  B34: 'A backend that comes back with the same catalog causes no list_changed (semantics §9.34)',
  B35: 'A storm of list_changed causes few refreshes and few notifications (semantics §9.35)',
  B36: 'A list_changed during a refresh causes exactly one more refresh (semantics §9.36)',

  // C. Names and URIs
  C41: 'The same tool name on two servers gives two tools, and each call reaches its own server (semantics §9.41)',
  C42: 'Exposed names match ^[A-Za-z0-9_-]{1,64}$ and are stable; the server is called by its own name (semantics §9.42)',
  C43: 'A name of 100 characters is exposed with at most 64, unique and deterministic, and can be called (semantics §9.43)',
  C44: 'Names are resolved by table: a tool x__y of a is called as a__x__y (semantics §9.44)',
  C45: 'Two keys with the same namespace are a configuration error that names both (semantics §9.45)',
  C46: 'Another backend does not change the names of the first (semantics §9.46)',
  C47: 'A bare name is routed while one server owns it; else -32602 lists the candidates, also those that are down (semantics §9.47)',
  C48: 'The same file: URI on two servers is two URIs, each read gives its own content and keeps the URI it was asked by (semantics §9.48)',
  C49: 'A ui:// URI keeps its scheme, tools and results point to it in both forms, and it is read from its own server (semantics §9.49)',
  C50: 'A resource link to an unlisted URI in a result leads back to its server (semantics §9.50)',
  C51: 'http(s) URIs stay as they are and are routed to their owner; two owners are not-found with candidates (semantics §9.51)',
  C52: 'An exposed URI template expands to URIs that reach the server byte for byte (semantics §9.52)',
  C53: 'URIs reach the server byte for byte: nothing is normalised (semantics §9.53)',
  C54: 'Completion of an exposed template asks the owner by its own template (semantics §9.54)',
  C55: 'Completion by a server that cannot complete gives no values, and no error (semantics §9.55)',
  C56: 'An unknown tool is -32602 (semantics §9.56)',
  C57: 'An unknown resource is -32002 with data.uri (semantics §9.57)',

  // D. Calls
  D58: 'Unknown content, array structuredContent, extra fields and _meta of a result arrive as they are (semantics §9.58)',
  D59: 'isError of a backend stays a result (semantics §9.59)',
  D60: 'Code, message and data of a backend error arrive unchanged (semantics §9.60)',
  D61: 'A backend killed in a call gives one isError result that names the server; other calls go on (semantics §9.61)',
  D62: 'A call to a starting backend waits up to callWait and succeeds if it comes (semantics §9.62)',
  D63: 'A call that was written to a backend is never repeated by the gateway (semantics §9.63)',
  D64: 'A lost session of a backend is replaced once and the call repeated once; the client sees only the result (semantics §9.64)',
  D65: 'Unknown parameters and _meta keys of a request reach the backend as they are (semantics §9.65)',
  D66: 'A fast answer overtakes a slow one of the same backend (semantics §9.66)',
  D67: 'A result of 10 MiB is relayed; one over message.maxBytes is an isError result, and the connection survives (semantics §9.67)',

  // E. Ids, progress, cancel, timeouts
  E68: 'Requests with the same id at the same time each get their own answer (semantics §9.68)',
  E69: 'The ids 1 and "1" keep their type and never swap (semantics §9.69)',
  E70: 'Two clients with one progress token get only their own progress (semantics §9.70)',
  E71: 'Progress only increases, and none comes after the response (semantics §9.71)',
  E72: 'Progress keeps a call alive although the client gave no token, and such a client sees none (semantics §9.72)',
  E73: 'The gateway makes no progress up (semantics §9.73)',
  E74: 'A cancel reaches the right backend with its own id, and the client gets no response (semantics §9.74)',
  E76: 'A client that loses its connection in a call does not cancel it, and gets the result when it comes back (semantics §9.76)',
  E77: 'A cancel of an unknown or finished id is ignored (semantics §9.77)',
  E78: 'A cancel of one client leaves the calls of another alone (semantics §9.78)',
  E79: 'A silent backend is given up at the idle limit, an endlessly reporting one at the total limit (semantics §9.79)',
  E80: 'The timers of a call rest while somebody is being asked for it (semantics §9.80)',
  E81: 'An elicitation that the backend takes back is cancelled at the client by the id it knows (semantics §9.81)',
  E82: 'The end of a session cancels what it had in flight (semantics §9.82)',

  // F. Server → client
  F83: 'On a shared HTTP backend each question reaches the client whose call asks it (semantics §9.83)',
  F84: 'A request of a shared stdio backend is refused, and no client sees it (semantics §9.84)',
  F85: 'With isolation by session each client has a process of its own, whose questions, roots and logs are its own (semantics §9.85)',
  F86: 'To the only client on stdio every backend may speak (semantics §9.86)',
  F87: 'Sampling with tools is refused for a client without sampling.tools (semantics §9.87)',
  F88: 'includeContext reaches the client as "none" unless allowed (semantics §9.88)',
  F89: 'An elicitation names the server it comes from (semantics §9.89)',
  F90: 'The completion of a URL elicitation reaches only the client that was sent there (semantics §9.90)',
  F91: 'A change of roots is told only to connections that its client owns (semantics §9.91)',
  F92: 'A request of a backend on the GET stream of a shared session is refused (semantics §9.92)',
  F93: 'Each client gets the log messages of its own calls from its own level on; the backend is set to the most verbose one (semantics §9.93)',

  // H. Subscriptions
  H105: 'One client that unsubscribes leaves the subscription of another alone (semantics §9.105)',
  H106: 'A failed subscription is an error, and the next one asks the backend again (semantics §9.106)',
  H107: 'Subscriptions come back with their backend, with one update for each resource (semantics §9.107)',
  H108: 'A change of a resource below a subscribed one reaches the subscriber with its exposed URI (semantics §9.108)',

  // L. Extensions
  L156: 'An unknown extension is not advertised, and with passthroughExtensions reaches that server only (semantics §9.156)',
  L157: 'Unknown _meta keys are kept in either direction (semantics §9.157)',
  L158: 'With prefix never the official conformance suite for 2025-11-25 passes through the gateway (semantics §9.158)',

  // I. HTTP
  I115: 'A foreign Host or Origin is 403 on every endpoint, before the body (semantics §9.115)',
  I118: 'An unknown or ended session id is 404, a missing one 400 (semantics §9.118)',
  I120: 'A stream goes on after Last-Event-ID with its own later events, response included; an id of another session is 400 (semantics §9.120)',
  I121: 'Event streams begin with a priming event in sessions of 2025-11-25, and never in older ones (semantics §9.121)',
  I122: 'With two GET streams a notification arrives on exactly one (semantics §9.122)',
  I123: 'Batches are answered in sessions of 2025-03-26, and refused with 400 in all others (semantics §9.123)',
  I124: 'Wrong Accept 406, wrong Content-Type 415, too large 413, not JSON 400 -32700 (semantics §9.124)',
  I126: 'A notification is 202 with an empty body (semantics §9.126)',
  I127: 'While draining new sessions are 503 with Retry-After, and running calls finish (semantics §9.127)',
  I128: 'HTTP+SSE: the first event is endpoint, a POST is 202 and answered on the stream, whose end cancels the calls (semantics §9.128)',

  // J. stdio
  J129: 'No process of a backend survives the gateway, whatever it ignores and however the gateway ends (semantics §9.129)',
  J130: 'Text of a backend on stdout that is not JSON is logged and skipped (semantics §9.130)',
  J131: 'Ten MiB of stderr neither stall a backend nor put it into error (semantics §9.131)',
  J132: 'A backend sees of our environment only an allow-list (semantics §9.132)',
  J133: 'Split characters and lines of 5 MiB are read correctly (semantics §9.133)',
  J134: 'On stdio, stdout holds only JSON-RPC lines (semantics §9.134)',
  J135: 'The end of stdin ends the stdio gateway with code 0 and no process left (semantics §9.135)',
  J136: 'Restart delays grow with jitter to a cap, and start anew after 60 s of good running (semantics §9.136)',

  // Reliability
  'crash-own-calls': 'A crash fails only the calls of that backend, within 100 ms (R1, R4)',
  'kill9-nothing-left': 'kill -9 of the gateway leaves no process of a backend (R7)',
  'initial-wait': 'The first list waits initialWait from the start of the gateway, later lists not at all (semantics §6.4)',
  'starts-at-once': 'At most startsAtOnce backends launch at a time, restarts included; a slow one gives its slot back (R6)',
  backoff: 'Full jitter on initial × 2ⁿ up to max, reset after resetAfter (R5)',
  'start-timeout': 'A start that takes longer than startTimeout is a failure like any other (R3)',
  'root-survives': 'Whatever an actor of any kind throws, the root and the other backends go on (house §2.4)',
  'respawn-budget': 'A supervisor bug that repeats ends in a visible error, not in a loop (house §2.4)',
  'no-actor-leak': 'Ended actors are forgotten: restarts do not grow the system (house §7.2)',
  'health-levels': 'Health is healthy, degraded or unhealthy by one table, and 503 only when unhealthy (enterprise guide)',
  'health-fields': 'The health document has the fields of the guide, and leaves out what is not known (enterprise guide)',
  ready: 'Ready means: configuration loaded, listening, not draining (enterprise guide)',
  'config-errors': 'A configuration error names line and column, all errors at once (R9)',
  'secrets-never-printed': 'No log shows a secret, however it is encoded or split over lines',
  'log-never-blocks': 'A log pipe that is stalled or closed costs lines, never the gateway (R18)',
  drain: 'A shutdown lets calls finish up to drainTimeout and is over within shutdownTimeout; a second signal stops at once (R8)',
  'stop-order': 'Backends stop in reverse start order (R8)',
  'port-in-use': 'A port in use is one sentence and exit code 1 (R18)',
  'fair-queue':
    'Requests in flight and waiting are bounded for each backend, clients take turns, and who is refused is told by what and when to come again',
  'safe-retry':
    'A request is repeated, once, only if it was not sent, only reads, or its tool is idempotent and trusted; otherwise the error says that it may have been executed (R4)',
  'wake-on-call': 'A call wakes a sleeping backend and waits for it; lists wake nobody',
  'operator-hold':
    'While an operator drains a backend nothing is sent to it: requests wait, go on when it is resumed, or are told until when',
  'one-batch': 'Changes that come together are announced in one batch, one notification a kind (semantics §6.5)',
} as const satisfies Record<string, string>;

export type PromiseId = keyof typeof PROMISES;
