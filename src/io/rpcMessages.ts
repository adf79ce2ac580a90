import { jsonDepthExceeds } from '../json.ts';
import type { JsonRpcMessage } from '../world.ts';

/** The text is not what JSON-RPC allows; `message` completes the sentence "… answered with". */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/**
 * The JSON-RPC messages of a JSON text: one object, or an array of them (a batch, MCP 2025-03-26). The nesting is checked
 * before it is parsed.
 * @throws MalformedMessage
 */
export function parseMessages(text: string, maxDepth: number): JsonRpcMessage[] {
  if (jsonDepthExceeds(text, maxDepth)) throw new MalformedMessage(`JSON nested deeper than ${maxDepth} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedMessage('invalid JSON');
  }
  const messages = Array.isArray(value) ? value : [value];
  if (!messages.every(isMessage)) throw new MalformedMessage('JSON that is not a JSON-RPC message');
  return messages;
}

function isMessage(value: unknown): value is JsonRpcMessage {
  if (typeof value !== 'object' || value === null) return false;
  const { method, error } = value as Record<string, unknown>;
  if (method !== undefined) return typeof method === 'string';
  return 'result' in value || (typeof error === 'object' && error !== null);
}
