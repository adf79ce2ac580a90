import { OnemcpError } from '../errors.ts';
import { jsonDepthExceeds, repeatedKey } from '../json.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';

/** A text that is not a message we can use: the error, and the id of the request if it could be read. */
export interface BadMessage {
  readonly kind: 'bad';
  readonly error: OnemcpError;
  readonly id: RequestId | null;
}

export interface OneMessage {
  readonly kind: 'one';
  readonly message: JsonRpcMessage;
}

/** Several messages in one array, not checked yet; never empty. Version 2025-03-26 only. */
export interface MessageBatch {
  readonly kind: 'batch';
  readonly elements: readonly unknown[];
}

/** One JSON-RPC text from a client, checked for shape only. JSON-RPC 2.0 §4, MCP basic §Messages. */
export function parseMessage(text: string, maxDepth: number): OneMessage | MessageBatch | BadMessage {
  if (jsonDepthExceeds(text, maxDepth)) return bad('parse_error', `the JSON nests deeper than ${maxDepth} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return bad('parse_error', `the text is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (!Array.isArray(value)) {
    const twice = repeatedKey(text);
    return twice === undefined ? checkMessage(value) : bad('invalid_request', `the message has the key ${JSON.stringify(twice)} twice`);
  }
  return value.length > 0 ? { kind: 'batch', elements: value } : bad('invalid_request', 'a JSON-RPC batch must not be empty');
}

/** One parsed value as a message. */
export function checkMessage(value: unknown): OneMessage | BadMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('invalid_request', 'a JSON-RPC message is an object');
  const message = value as JsonRpcMessage;
  const flaw = flawOf(message);
  return flaw ? bad('invalid_request', flaw, idOf(message)) : { kind: 'one', message };
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

const bad = (code: 'parse_error' | 'invalid_request', message: string, id: RequestId | null = null): BadMessage => ({
  kind: 'bad',
  error: new OnemcpError(code, message),
  id,
});
