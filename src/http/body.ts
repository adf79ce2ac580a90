import type { IncomingMessage } from 'node:http';
import { OnemcpError } from '../errors.ts';

/** How a body ends: with its text, or with an error (`body_too_large`, `parse_error` when the client goes away). */
export type BodyDone = (error: OnemcpError | undefined, text: string) => void;

/** The body of a request of Node's HTTP server as text, counted while it streams. */
export function readIncoming(incoming: IncomingMessage, maxBytes: number, done: BodyDone): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).resume();
      return done(tooLarge(maxBytes), '');
    }
    if (first === undefined) first = chunk;
    else if (more) more.push(chunk);
    else more = [first, chunk];
  };
  const onEnd = () => {
    incoming.off('close', onClose);
    done(undefined, more ? Buffer.concat(more).toString() : (first?.toString() ?? ''));
  };
  const onClose = () => done(new OnemcpError('parse_error', 'the request ended before its body was complete'), '');
  incoming.on('data', onData).on('end', onEnd).on('close', onClose);
}

/** The body of a `Request` as text, counted while it streams. */
export async function readRequest(request: Request, maxBytes: number, done: BodyDone): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return done(tooLarge(maxBytes), '');
    text += decoder.decode(chunk, { stream: true });
  }
  done(undefined, text + decoder.decode());
}

/** The error of a body over the limit. */
export const tooLarge = (maxBytes: number) =>
  new OnemcpError('body_too_large', `the body is larger than ${maxBytes} bytes, the limit of http.bodyBytes`);
