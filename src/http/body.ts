import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { OnemcpError } from '../errors.ts';

/** The environment of a request: Node's own objects, absent when the app is called without a server. */
export type Env = { Bindings: Partial<HttpBindings> };

/**
 * The body as text, counted while it streams.
 * @throws OnemcpError `body_too_large`, `parse_error` when the client goes away
 */
export function readBody(c: Context<Env>, maxBytes: number): Promise<string> {
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return c.env?.incoming ? readIncoming(c.env.incoming, maxBytes) : readStream(c.req.raw, maxBytes);
}

function readIncoming(incoming: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        incoming.off('data', onData);
        incoming.resume();
        return reject(tooLarge(maxBytes));
      }
      chunks.push(chunk);
    };
    incoming.on('data', onData);
    incoming.once('end', () => resolve((chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString()));
    incoming.once('error', () => reject(new OnemcpError('parse_error', 'the request ended before its body was complete')));
  });
}

async function readStream(request: Request, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

const tooLarge = (maxBytes: number) =>
  new OnemcpError('body_too_large', `the body is larger than ${maxBytes} bytes, the limit of http.bodyBytes`);
