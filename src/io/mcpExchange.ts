import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { OnemcpError } from '../errors.ts';

/** Where an MCP endpoint is: behind the control socket of a gateway (the first of these that is alive), or at a URL. */
export type McpPlace =
  | { readonly sockets: readonly string[] }
  | { readonly url: URL; readonly headers?: Readonly<Record<string, string>> | undefined };

export interface Sent {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one HTTP request to the endpoint; resolves when the head of the answer is there. */
export type Exchange = (sent: Sent) => Promise<IncomingMessage>;

/** Codes of a socket that say that nobody is there. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTSOCK', 'ENOTDIR']);

/**
 * Exchanges with one endpoint, each on a connection of its own: there are few.
 * @throws OnemcpError `connection_failed`; its reason is `no-gateway` when nobody listens at any of the sockets
 */
export const exchangeWith = (place: McpPlace): Exchange =>
  'url' in place ? overTcp(place.url, place.headers) : overSockets(place.sockets);

function overSockets(sockets: readonly string[]): Exchange {
  let found: string | undefined;
  return async (sent) => {
    let denied = '';
    for (const socketPath of found === undefined ? sockets : [found]) {
      try {
        const answer = await once(request, { socketPath, path: '/mcp', headers: { host: 'localhost', ...sent.headers } }, sent);
        found = socketPath;
        return answer;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (sent.signal?.aborted) throw error;
        if (!ABSENT.has(code)) throw new OnemcpError('connection_failed', `the gateway at ${socketPath} went away: ${message}`);
        if (code === 'EACCES' || code === 'EPERM') denied = `; ${socketPath} belongs to another user`;
      }
    }
    throw new OnemcpError('connection_failed', `looked at ${sockets.join(', ')}${denied}`, { reason: 'no-gateway' });
  };
}

function overTcp(url: URL, own: Readonly<Record<string, string>> = {}): Exchange {
  return async (sent) => {
    const send = url.protocol === 'https:' ? (await import('node:https')).request : request;
    const options = { host: hostOf(url), port: url.port || undefined, path: `${url.pathname}${url.search}` };
    try {
      return await once(send, { ...options, headers: { host: url.host, ...own, ...sent.headers } }, sent);
    } catch (error) {
      if (sent.signal?.aborted) throw error;
      throw new OnemcpError('connection_failed', `nothing answers at ${url.origin}: ${reasonOf(error as NodeJS.ErrnoException)}`);
    }
  };
}

/** Without the brackets of an IPv6 address. */
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** Node's error for a name with several addresses has no message. */
const reasonOf = ({ message, code }: NodeJS.ErrnoException): string => message || code || 'unknown error';

function once(send: typeof request, options: RequestOptions, { method, headers: _, body, signal }: Sent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const headers = { ...(options.headers as Record<string, string>), ...length };
    const outgoing = send({ ...options, method, headers, agent: false, ...(signal && { signal }) });
    // After the head errors belong to the answer, which tells of them itself.
    outgoing.on('error', reject).once('response', resolve).end(body);
  });
}
