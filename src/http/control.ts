import type { IncomingMessage, ServerResponse } from 'node:http';
import { Hono } from 'hono';
import type { PlanVariables, Reloaded } from '../config/config.ts';
import { asOnemcpError, OnemcpError } from '../errors.ts';
import type { Operation } from '../world.ts';
import { readRequest } from './body.ts';
import type { ControlOps } from './controlOps.ts';
import { type McpOptions, mcpRoutes, postFromNode } from './mcp.ts';
import { createListener } from './server.ts';

const OPERATIONS: ReadonlySet<string> = new Set<Operation['op']>(['start', 'stop', 'restart', 'drain', 'resume']);

/** What is asked of the control plane is short. */
const BODY_BYTES = 64 * 1024;
/** Beyond it a Node.js timer fires at once. */
const LONGEST_HOLD = 2 ** 31 - 1;

/**
 * The control plane, for the control socket and never for TCP: whoever can reach it may do anything. Errors are
 * `{ code, message }`, with the issues of the file as `issues` where there are any.
 */
export function controlRoutes(ops: ControlOps, mcp?: McpOptions): Hono {
  const app = new Hono();
  if (mcp) app.route('/mcp', mcpRoutes(mcp));
  else app.all('/mcp', noClients);
  app
    .get('/status', (c) => c.json(ops.status()))
    .get('/why/:name', (c) => c.json(ops.why(c.req.param('name'))))
    .get('/logs', (c) => {
      if (!ops.logs) throw new OnemcpError('invalid_request', 'this gateway keeps no lines of stderr');
      const { server, after = '0', lines = '100' } = c.req.query();
      return c.json(ops.logs({ server, after: countOf('after', after), most: countOf('lines', lines) }));
    })
    .post('/servers/:name/:op', async (c) => {
      const { name, op } = c.req.param();
      if (!OPERATIONS.has(op))
        throw new OnemcpError('invalid_request', `nothing is called "${op.slice(0, 40)}"; there are ${[...OPERATIONS].join(', ')}`);
      const { holdMs, wait = true } = await bodyOf(c.req.raw);
      if (typeof wait !== 'boolean') throw new OnemcpError('invalid_request', '"wait" has to be true or false');
      const operation: Operation = op === 'drain' ? { op, name, holdMs: durationOf('holdMs', holdMs) } : { op: op as 'start', name };
      return c.json(await ops.operate(operation, { wait, signal: c.req.raw.signal }));
    })
    .post('/alerts/:name/mute', async (c) => {
      const { ms } = await bodyOf(c.req.raw);
      return c.json((ops.muteAlerts ?? noWebhooks)(c.req.param('name'), durationOf('ms', ms ?? 0)));
    })
    .post('/alerts/:name/unmute', (c) => c.json((ops.muteAlerts ?? noWebhooks)(c.req.param('name'), undefined)))
    .post('/reload', async () => reloadAnswer(await (ops.reload ?? missing)()))
    .post('/plan', async (c) => {
      const { file, env, profiles } = await bodyOf(c.req.raw);
      if (file !== undefined && typeof file !== 'string') throw new OnemcpError('invalid_request', '"file" has to be a path');
      const variables = { ...optionalText('env', env, 'ONEMCP_ENV'), ...optionalText('profiles', profiles, 'ONEMCP_PROFILES') };
      return reloadAnswer(await (ops.plan ?? missing)(file, variables));
    });
  app.notFound((c) => c.json({ code: 'invalid_request', message: `nothing is at ${c.req.method} ${c.req.path}` }, 404));
  app.onError((thrown) => {
    const { code, message, httpStatus } = asOnemcpError(thrown);
    return Response.json({ code, message }, { status: httpStatus === 200 ? 500 : httpStatus });
  });
  return app;
}

const noClients = () => {
  throw new OnemcpError('invalid_request', 'this gateway serves one client, on stdio, and takes no other; start it with --port, too');
};

const missing = () => {
  throw new OnemcpError('invalid_request', 'this gateway does not read its configuration again');
};

const noWebhooks = () => {
  throw new OnemcpError('invalid_request', 'this gateway sends no alerts: its configuration names no webhooks');
};

function reloadAnswer(result: Reloaded): Response {
  if (result.ok) return Response.json(result);
  const message = `the configuration has ${result.issues.length === 1 ? 'an error' : `${result.issues.length} errors`}; nothing was changed`;
  return Response.json({ code: 'invalid_config', message, issues: result.issues }, { status: 422 });
}

/** The JSON object in a body; none is an empty one. */
async function bodyOf(request: Request): Promise<Readonly<Record<string, unknown>>> {
  let text = '';
  await readRequest(request, BODY_BYTES, (error, whole) => {
    if (error) throw new OnemcpError(error.code, `the body is larger than ${BODY_BYTES} bytes`);
    text = whole;
  });
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OnemcpError('parse_error', 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OnemcpError('invalid_request', 'the body has to be an object');
  return value as Record<string, unknown>;
}

/** A text of the body as a variable; nothing when it is not there. */
function optionalText(key: string, value: unknown, variable: keyof PlanVariables): PlanVariables {
  if (value === undefined) return {};
  if (typeof value !== 'string') throw new OnemcpError('invalid_request', `"${key}" has to be a text`);
  return { [variable]: value };
}

function countOf(key: string, text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new OnemcpError('invalid_request', `"${key}" has to be a whole number from 0`);
}

function durationOf(key: string, ms: unknown): number | undefined {
  if (ms === undefined) return undefined;
  if (typeof ms === 'number' && Number.isInteger(ms) && ms > 0 && ms <= LONGEST_HOLD) return ms;
  throw new OnemcpError('invalid_request', `"${key}" has to be a whole number of milliseconds from 1 to ${LONGEST_HOLD}`);
}

/**
 * The same for Node's HTTP server.
 * @param mcp the gateway's own `/mcp`, for the user's command line: nobody else can connect, so nothing guards it here
 */
export function controlListener(ops: ControlOps, mcp?: McpOptions): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  let listener: ReturnType<typeof createListener> | undefined;
  return (incoming, outgoing) => {
    if (mcp && incoming.method === 'POST' && incoming.url === '/mcp') return postFromNode(incoming, outgoing, mcp);
    listener ??= createListener(controlRoutes(ops, mcp).fetch);
    void listener.then((handle) => handle(incoming, outgoing));
  };
}
