import type { Readable, Writable } from 'node:stream';
import { createLineReader } from './lines.ts';

export interface LineServerOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** Longest line that is read. */
  readonly maxBytes: number;
  readonly onLine: (text: string) => void;
}

export interface LineServer {
  /** Writes one message; it must not contain a line break. False if nobody reads it any more. */
  readonly write: (text: string) => boolean;
  /** Resolves at the end of the input, or when the output is gone. */
  readonly ended: Promise<void>;
}

/** Our end of stdio toward a client: one JSON-RPC message a line. MCP basic/transports §stdio. */
export function serveLines({ input, output, maxBytes, onLine }: LineServerOptions): LineServer {
  const reader = createLineReader({
    maxBytes,
    onLine,
    onOversize: ({ bytes }) => {
      const message = `a message of ${bytes} bytes is longer than the limit of ${maxBytes} (message.maxBytes)`;
      write(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32600, message } }));
    },
  });
  const write = (text: string): boolean => {
    if (output.writable) output.write(`${text}\n`);
    return output.writable;
  };
  const ended = new Promise<void>((resolve) => {
    input.on('data', (chunk: Buffer) => reader.push(chunk));
    input.once('end', () => {
      reader.end();
      resolve();
    });
    input.once('close', resolve);
    input.once('error', () => resolve());
    output.once('error', () => resolve());
    output.once('close', resolve);
  });
  return { write, ended };
}
