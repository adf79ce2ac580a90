import { request } from 'node:http';
import { OnemcpError } from '../errors.ts';

export interface ControlRequest {
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly body?: object | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Longer than any answer of ours. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Asks the gateway behind the first of these sockets that is alive.
 * @throws OnemcpError `connection_failed` when nobody listens at any of them, or it went away; `invalid_response` for what is no answer of a gateway
 */
export async function askControl(sockets: readonly string[], asked: ControlRequest): Promise<ControlAnswer> {
  let denied = '';
  for (const socketPath of sockets) {
    const answer = await ask(socketPath, asked);
    if (typeof answer !== 'string') return answer;
    if (answer === 'EACCES' || answer === 'EPERM') denied = `; ${socketPath} belongs to another user`;
  }
  throw new OnemcpError('connection_failed', `looked at ${sockets.join(', ')}${denied}`, { reason: 'no-gateway' });
}

/** Codes that say that nobody is there. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTSOCK', 'ENOTDIR']);

/** The answer, or the code that says why nobody is there. */
function ask(socketPath: string, { method, path, body, signal }: ControlRequest): Promise<ControlAnswer | string> {
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const outgoing = request({ socketPath, method, path, headers: { host: 'localhost', ...headers }, signal, agent: false }, (incoming) => {
      let bytes = 0;
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) incoming.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      incoming.once('error', fail);
      incoming.once('end', () => {
        try {
          resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
        } catch (error) {
          reject(new OnemcpError('invalid_response', `what answers at ${socketPath} is not a gateway`, undefined, error));
        }
      });
    });
    const fail = (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') return reject(error);
      if (ABSENT.has(error.code)) return resolve(error.code as string);
      reject(new OnemcpError('connection_failed', `the gateway at ${socketPath} went away before it had answered: ${error.message}`));
    };
    outgoing.once('error', fail);
    outgoing.end(text);
  });
}
