import type { Json } from '../../../src/world.ts';
import type { TestClient } from '../../e2e/gateway.ts';
import type { Reply } from './judge.ts';

/** Calls a tool and says in which of three ways it was answered. A connection that fails is an answer too: a broken one. */
export async function replyTo(client: TestClient, tool: string, args?: Json): Promise<Reply> {
  const began = performance.now();
  const reply = (kind: Reply['kind'], text: string): Reply => ({ kind, text, took: performance.now() - began });
  try {
    const { status, message } = await client.call(tool, args);
    if (!message) return reply('broken', `no message, HTTP ${status}`);
    const { error, result } = message as { error?: { code: number; message: string }; result?: Json };
    if (error !== undefined) {
      // JSON-RPC 2.0 §5.1: with less a client of the SDK does not understand it, and its call hangs.
      const valid = Number.isInteger(error?.code) && typeof error.message === 'string';
      return reply(valid ? 'error' : 'broken', valid ? `${error.message} (${error.code})` : JSON.stringify(error));
    }
    if (!result) return reply('broken', JSON.stringify(message));
    const content = Array.isArray(result.content) ? (result.content as ({ text?: string } | null)[]) : [];
    const text = content.map((part) => part?.text ?? '').join('\n') || JSON.stringify(result);
    return reply(result.isError === true ? 'error' : 'result', text);
  } catch (error) {
    const { message, cause } = error as Error;
    return reply('broken', cause ? `${message}: ${String(cause)}` : message);
  }
}
