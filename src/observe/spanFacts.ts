/** What spans say. Never arguments, results, messages of servers or clients, or credentials: names, numbers and our own codes. */
import type { Attributes, Span } from '@opentelemetry/api';
import { SpanStatusCode } from '@opentelemetry/api';
import { OnemcpError, WireError } from '../errors.ts';

/** Attribute with the name of a server in the configuration. */
export const SERVER = 'onemcp.server';

/** What comes from a client is cut to it. */
const LONGEST = 128;
const short = (text: string): string => (text.length > LONGEST ? text.slice(0, LONGEST) : text);

interface Asked {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** `tools/call memory__search`; only names of tools and prompts are few enough to be part of it. */
export function spanName({ method, params: { name } }: Asked): string {
  return (method === 'tools/call' || method === 'prompts/get') && typeof name === 'string' ? short(`${method} ${name}`) : short(method);
}

/** Attributes of a request. OpenTelemetry semantic conventions for MCP. */
export function requestFacts({ method, params }: Asked): Attributes {
  const facts: Attributes = { 'mcp.method.name': short(method) };
  const { name, uri } = params;
  if (method === 'tools/call' && typeof name === 'string') {
    facts['gen_ai.operation.name'] = 'execute_tool';
    facts['gen_ai.tool.name'] = short(name);
  } else if (method === 'prompts/get' && typeof name === 'string') facts['gen_ai.prompt.name'] = short(name);
  else if (method.startsWith('resources/') && typeof uri === 'string') facts['mcp.resource.uri'] = plainUri(uri);
  return facts;
}

/** A URI without what may be a credential: user, query and fragment. */
const plainUri = (uri: string): string => short((uri.split(/[?#]/, 1)[0] as string).replace(/\/\/[^/]*@/, '//'));

/** Ends a span that failed: our own code, or the JSON-RPC code of who answered; a client that cancelled is no error. */
export function endFailed(span: Span, error: unknown): void {
  const code = error instanceof OnemcpError ? error.code : error instanceof WireError ? String(error.error.code) : 'internal';
  span.setAttribute('error.type', code);
  if (error instanceof WireError) span.setAttribute('rpc.response.status_code', code);
  if (code !== 'cancelled') span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** Ends a span of a request whose tool says that it failed. */
export function endToolError(span: Span): void {
  span.setAttribute('error.type', 'tool_error');
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
