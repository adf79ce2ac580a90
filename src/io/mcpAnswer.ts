import type { IncomingMessage } from 'node:http';
import { OnemcpError } from '../errors.ts';
import { isObject } from '../json.ts';
import type { JsonRpcMessage } from '../world.ts';
import { createEventStream } from './eventStream.ts';

/** Longer than any message of a gateway. */
const MOST_BYTES = 64 * 1024 * 1024;

export interface AnswerHandlers {
  /** A message that came; true if it is the one that was waited for. */
  onmessage(message: JsonRpcMessage): boolean;
  /** The id of the newest event, to come back with. */
  onid(id: string): void;
  /** Milliseconds until one should come back. */
  onretry(ms: number): void;
}

/**
 * Reads an answer of Streamable HTTP, JSON or an event stream. `done`: what was waited for has come; `ended`: the stream
 * has ended without it; `broken`: the connection has. MCP basic/transports §Sending Messages to the Server.
 * @throws OnemcpError `invalid_response` for what is no MCP, `http_status` for an HTTP error without a JSON-RPC one
 */
export function readAnswer(incoming: IncomingMessage, handlers: AnswerHandlers): Promise<'done' | 'ended' | 'broken'> {
  return (incoming.headers['content-type'] ?? '').startsWith('text/event-stream')
    ? readEvents(incoming, handlers)
    : readWhole(incoming, handlers);
}

function readEvents(incoming: IncomingMessage, { onmessage, onid, onretry }: AnswerHandlers): Promise<'done' | 'ended' | 'broken'> {
  return new Promise((resolve, reject) => {
    const end = (how: 'done' | 'ended' | 'broken') => {
      resolve(how);
      incoming.destroy();
    };
    const fail = (error: OnemcpError) => {
      reject(error);
      incoming.destroy();
    };
    const events = createEventStream(MOST_BYTES, {
      onevent(data, id) {
        if (id !== undefined) onid(id);
        const message = data === '' ? undefined : parsed(data);
        if (message && onmessage(message)) end('done');
      },
      onretry,
      onoverflow: () => fail(tooLarge()),
    });
    incoming
      .on('data', (chunk: Buffer) => events.push(chunk))
      .once('end', () => end('ended'))
      .on('error', () => end('broken'))
      .once('close', () => resolve('broken'));
  });
}

async function readWhole(incoming: IncomingMessage, { onmessage }: AnswerHandlers): Promise<'done' | 'ended' | 'broken'> {
  const text = await textOf(incoming);
  if (text === undefined) return 'broken';
  const message = parsed(text);
  if (message && onmessage(message)) return 'done';
  const { statusCode = 0 } = incoming;
  // An error of the endpoint itself belongs to no request.
  const { sentence, isMcp } = errorOf(message);
  if (isMcp) throw new OnemcpError(statusCode === 404 ? 'session_lost' : 'http_status', sentence);
  if (statusCode >= 300) throw new OnemcpError('http_status', `it answered with HTTP ${statusCode}${sentence && `: ${sentence}`}`);
  throw new OnemcpError('invalid_response', 'what answers there is not an MCP server');
}

/** What an error says of itself: one of JSON-RPC, or one of our other routes. */
function errorOf(message: { readonly error?: unknown; readonly message?: unknown } = {}): {
  readonly sentence: string;
  readonly isMcp: boolean;
} {
  const { error } = message;
  if (isObject(error) && typeof error.message === 'string') return { sentence: error.message, isMcp: true };
  const sentence = [message.message, error].find((text) => typeof text === 'string') ?? '';
  return { sentence: sentence as string, isMcp: false };
}

/** Undefined when the connection broke. */
async function textOf(incoming: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof OnemcpError) throw error;
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

const tooLarge = () => new OnemcpError('message_too_large', `the answer is larger than ${MOST_BYTES / 1024 ** 2} MiB`);

function parsed(text: string): JsonRpcMessage | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? (value as JsonRpcMessage) : undefined;
  } catch {
    return undefined;
  }
}
