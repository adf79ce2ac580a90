import type { BackendState } from '../world.ts';

export interface OpenApiOptions {
  readonly version: string;
  /** Whether there is HTTP+SSE, too. */
  readonly legacySse: boolean;
  /** Whether there is `/metrics`. */
  readonly metrics: boolean;
  /** The address that clients know, without a slash at its end. */
  readonly publicUrl?: string | undefined;
}

const STATES = [
  'idle',
  'starting',
  'connected',
  'error',
  'retrying',
  'failed',
  'stopping',
  'stopped',
] as const satisfies readonly BackendState[];

type Node = Readonly<Record<string, unknown>>;

/** Every HTTP route for clients and probes. OpenAPI 3.1.0; checked against the routes by test/http/openapi.test.ts. */
export const openApi = ({ version, legacySse, metrics, publicUrl = '/' }: OpenApiOptions): Node => ({
  openapi: '3.1.0',
  info: {
    title: 'onemcp',
    version,
    summary: 'One supervised MCP endpoint in front of all your MCP servers.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: publicUrl }],
  tags: [
    { name: 'mcp', description: 'The Model Context Protocol.' },
    { name: 'operations', description: 'Probes and documents for operations.' },
  ],
  paths: {
    '/mcp': mcpPath(),
    ...(legacySse && legacyPaths()),
    '/health': healthPath(),
    '/health/live': {
      get: operation('isAlive', 'Whether the process answers; 200 while it does.', { 200: json('It does.', ref('Live')) }),
    },
    '/health/ready': {
      get: operation('isReady', 'Whether it may be sent requests: configured, listening, not draining.', {
        200: json('It may.', ref('Ready')),
        503: json('It may not.', ref('Ready')),
      }),
    },
    ...(metrics && metricsPath()),
    '/openapi.json': {
      get: operation('describe', 'This document.', { 200: json('The document.', { type: 'object' }), 403: FORBIDDEN }),
    },
  },
  components: { schemas: SCHEMAS, headers: HEADERS },
});

const ref = (name: string): Node => ({ $ref: `#/components/schemas/${name}` });
const json = (description: string, schema: Node, headers?: Node): Node => ({
  description,
  ...(headers && { headers }),
  content: { 'application/json': { schema } },
});
const rpcError = (description: string): Node => json(description, ref('RpcError'));
const FORBIDDEN = rpcError('The `Host` or `Origin` header is not trusted.');
const operation = (operationId: string, summary: string, responses: Node, more: Node = {}): Node => ({
  operationId,
  tags: ['operations'],
  summary,
  ...more,
  responses,
});
const header = (name: string, description: string, required: boolean): Node => ({
  name,
  in: 'header',
  required,
  description,
  schema: { type: 'string' },
});
const SESSION = header('Mcp-Session-Id', 'The session, as the answer to initialize named it.', true);
const VERSION = header('MCP-Protocol-Version', 'The version that initialize agreed on.', false);
const events = {
  'text/event-stream': { schema: { type: 'string', description: 'Server-sent events; each `data` is one JSON-RPC message.' } },
};

/** MCP basic/transports §Streamable HTTP. */
function mcpPath(): Node {
  const unknown = rpcError('The session is unknown or over; initialize again.');
  return {
    post: operation(
      'send',
      'Sends one JSON-RPC message, or a batch in sessions of 2025-03-26.',
      {
        200: {
          description: 'The response: JSON, or an event stream when something is said before it or it takes long.',
          headers: { 'Mcp-Session-Id': { description: 'Of the new session, after initialize.', schema: { type: 'string' } } },
          content: {
            'application/json': { schema: { oneOf: [ref('RpcResponse'), { type: 'array', items: ref('RpcResponse') }] } },
            ...events,
          },
        },
        202: { description: 'It was a notification or a response.' },
        204: { description: 'The request was cancelled, so there is no response.' },
        400: rpcError('Not a JSON-RPC message, or the session id is missing.'),
        403: FORBIDDEN,
        404: unknown,
        406: rpcError('`Accept` allows neither JSON nor event streams.'),
        413: rpcError('The body is longer than `http.bodyBytes`.'),
        415: rpcError('The body is not `application/json`, or compressed.'),
        429: rpcError('Too many sessions or requests; see `Retry-After`.'),
        503: rpcError('The gateway is going down; see `Retry-After`.'),
      },
      {
        tags: ['mcp'],
        parameters: [{ ...SESSION, required: false, description: 'The session; not with initialize.' }, VERSION],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { oneOf: [ref('RpcMessage'), { type: 'array', items: ref('RpcMessage') }] } } },
        },
      },
    ),
    get: operation(
      'listen',
      'Opens a stream for what belongs to no request, or goes on with one that broke.',
      {
        200: { description: 'The stream.', content: events },
        400: rpcError('The session id is missing, or the event is unknown or too old.'),
        403: FORBIDDEN,
        404: unknown,
        406: rpcError('`Accept` does not allow event streams.'),
      },
      { tags: ['mcp'], parameters: [SESSION, VERSION, header('Last-Event-ID', 'The last event that was received.', false)] },
    ),
    delete: operation(
      'end',
      'Ends the session.',
      { 204: { description: 'It has ended.' }, 400: rpcError('The session id is missing.'), 403: FORBIDDEN, 404: unknown },
      { tags: ['mcp'], parameters: [SESSION] },
    ),
  };
}

/** MCP 2024-11-05 basic/transports §HTTP with SSE. */
function legacyPaths(): Node {
  return {
    '/sse': {
      get: operation(
        'openLegacyStream',
        'A session of 2024-11-05: the first event names where to post.',
        { 200: { description: 'The stream.', content: events }, 403: FORBIDDEN, 406: rpcError('`Accept` does not allow event streams.') },
        { tags: ['mcp'], deprecated: true },
      ),
    },
    '/messages': {
      post: operation(
        'sendLegacy',
        'Sends one message in a session of 2024-11-05; the answer comes on its stream.',
        {
          202: { description: 'Accepted.' },
          400: rpcError('Not a JSON-RPC message, or the session is missing.'),
          403: FORBIDDEN,
          404: rpcError('The session is unknown or over.'),
        },
        {
          tags: ['mcp'],
          deprecated: true,
          parameters: [
            { name: 'sessionId', in: 'query', required: true, description: 'From the first event.', schema: { type: 'string' } },
          ],
          requestBody: { required: true, content: { 'application/json': { schema: ref('RpcMessage') } } },
        },
      ),
    },
  };
}

/** Prometheus text format 0.0.4. */
function metricsPath(): Node {
  const text = { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } };
  return { '/metrics': { get: operation('metrics', 'The figures of the gateway and its servers, for Prometheus.', { 200: text }) } };
}

function healthPath(): Node {
  const headers = { 'X-Health-Status': {}, 'X-Service-Version': {}, 'X-Uptime-Seconds': {} };
  const used = Object.fromEntries(Object.keys(headers).map((name) => [name, { $ref: `#/components/headers/${name}` }]));
  return {
    get: operation(
      'health',
      'How the gateway and its servers are.',
      {
        200: json(
          '`healthy` or `degraded`: it serves; or the story of the server that `explain` names.',
          { oneOf: [ref('Health'), ref('Story')] },
          used,
        ),
        403: json('`explain` is for programs of this machine.', ref('Failure')),
        404: json('There is no server of this name.', ref('Failure')),
        503: json('`unhealthy`: no server is usable, or a critical one is not.', ref('Health'), used),
      },
      {
        parameters: [
          {
            name: 'explain',
            in: 'query',
            required: false,
            description: 'A server: tells why it is as it is, as `onemcp why` does.',
            schema: { type: 'string' },
          },
        ],
      },
    ),
  };
}

const HEADERS: Node = {
  'X-Health-Status': { description: 'The status in the body.', schema: { enum: ['healthy', 'degraded', 'unhealthy'] } },
  'X-Service-Version': { description: 'Version of onemcp.', schema: { type: 'string' } },
  'X-Uptime-Seconds': { description: 'Since the process started.', schema: { type: 'integer' } },
};

const object = (properties: Node, required: readonly string[] = Object.keys(properties)): Node => ({
  type: 'object',
  properties,
  required,
});
const string = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const time = { type: 'string', format: 'date-time' };
const id = { type: ['string', 'integer', 'null'] };
const error = object({ code: { type: 'integer' }, message: string, data: {} }, ['code', 'message']);

const SCHEMAS: Node = {
  RpcMessage: object({ jsonrpc: { const: '2.0' }, id, method: string, params: { type: 'object' }, result: { type: 'object' }, error }, [
    'jsonrpc',
  ]),
  RpcResponse: object({ jsonrpc: { const: '2.0' }, id, result: { type: 'object' }, error }, ['jsonrpc']),
  RpcError: object({ jsonrpc: { const: '2.0' }, id, error }, ['jsonrpc', 'error']),
  Failure: object({ error: string }),
  Live: object({ status: { const: 'alive' } }),
  Ready: object({ status: { enum: ['ready', 'not ready'] }, phase: string, configuration: object({ loaded: { type: 'boolean' } }) }),
  Story: object({ name: string, timestamp: time, path: { type: 'array' }, circuit: { enum: ['closed', 'half-open', 'open'] } }),
  Source: object(
    {
      name: string,
      status: { enum: ['ok', 'waiting', 'failing'] },
      since: time,
      servers: count,
      lastError: string,
      notes: { type: 'array', items: string },
    },
    ['name', 'status', 'since', 'servers'],
  ),
  Server: object(
    {
      name: string,
      status: { enum: [...STATES, 'disabled'] },
      healthy: { type: 'boolean' },
      reason: string,
      tags: { type: 'array', items: string },
      critical: { type: 'boolean' },
      since: time,
      lastConnected: time,
      lastError: string,
      nextRetry: time,
      failures: count,
      inFlight: count,
      queued: count,
      queueAgeMs: count,
      pid: count,
      notes: { type: 'array', items: string },
    },
    ['name', 'status', 'healthy'],
  ),
  Health: object(
    {
      status: { enum: ['healthy', 'degraded', 'unhealthy'] },
      phase: string,
      timestamp: time,
      version: string,
      system: object({
        uptime: { ...count, description: 'Seconds.' },
        memory: object({
          used: { type: 'number', description: 'MiB.' },
          total: { type: 'number', description: 'MiB.' },
          percentage: { type: 'number' },
          rss: { type: 'number', description: 'MiB.' },
        }),
      }),
      servers: object({ total: count, healthy: count, unhealthy: count, details: { type: 'array', items: ref('Server') } }, [
        'total',
        'healthy',
        'unhealthy',
      ]),
      configuration: object(
        {
          loaded: { type: 'boolean' },
          serverCount: count,
          enabledCount: count,
          disabledCount: count,
          authEnabled: { type: 'boolean' },
          transport: { enum: ['http', 'stdio'] },
          revision: count,
          appliedAt: time,
          lastError: object({ at: time, count, issues: { type: 'array', items: string } }, ['at', 'count']),
          sources: { type: 'array', items: ref('Source') },
        },
        ['loaded', 'serverCount', 'enabledCount', 'disabledCount', 'authEnabled', 'transport'],
      ),
      problems: { type: 'array', items: string },
    },
    ['status', 'phase', 'timestamp', 'version', 'system', 'servers', 'configuration'],
  ),
};
