import { OnemcpError } from '../errors.ts';
import { jsonDepthExceeds } from '../json.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';

/** A text that is not a message we can use: the error, and the id of the request if it could be read. */
export interface BadMessage {
  readonly error: OnemcpError;
  readonly id: RequestId | null;
}

export type Parsed = { readonly ok: true; readonly message: JsonRpcMessage } | ({ readonly ok: false } & BadMessage);

/** One JSON-RPC message from a client, checked for shape only. JSON-RPC 2.0 §4, MCP basic §Messages. */
export function parseMessage(text: string, maxDepth: number): Parsed {
  if (jsonDepthExceeds(text, maxDepth)) return bad('parse_error', `the JSON nests deeper than ${maxDepth} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return bad('parse_error', `the text is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (Array.isArray(value)) return bad('invalid_request', 'JSON-RPC batches are not accepted; send one message at a time');
  if (typeof value !== 'object' || value === null) return bad('invalid_request', 'a JSON-RPC message is an object');
  const message = value as JsonRpcMessage;
  const flaw = flawOf(message);
  return flaw ? bad('invalid_request', flaw, idOf(message)) : { ok: true, message };
}

function flawOf({ jsonrpc, id, method, params }: JsonRpcMessage): string | undefined {
  if (jsonrpc !== '2.0') return '"jsonrpc" must be "2.0"';
  if (id !== undefined && typeof id !== 'string' && !Number.isInteger(id)) return '"id" must be a text or an integer';
  if (method === undefined) return id === undefined ? 'a message needs a "method" or an "id"' : undefined;
  if (typeof method !== 'string') return '"method" must be a text';
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params))) return '"params" must be an object';
  return undefined;
}

const idOf = ({ id }: JsonRpcMessage): RequestId | null => (typeof id === 'string' || Number.isInteger(id) ? (id as RequestId) : null);

const bad = (code: 'parse_error' | 'invalid_request', message: string, id: RequestId | null = null): Parsed => ({
  ok: false,
  error: new OnemcpError(code, message),
  id,
});
