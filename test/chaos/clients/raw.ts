/** Connections and requests with every byte under control, also those that no HTTP client would send. */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';

/** What came back on a connection. */
export interface RawAnswer {
  /** Status codes of all answers, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** The gateway closed the connection. */
  readonly closed: boolean;
}

export interface RawSocket {
  readonly socket: Socket;
  /** What has come so far. */
  answer(): RawAnswer;
  /** Resolves when the other side has closed, or after `ms`. */
  closed(ms: number): Promise<RawAnswer>;
  /** Resolves when `count` answers have begun, the other side has closed, or after `ms`. */
  answered(count: number, ms: number): Promise<RawAnswer>;
}

/** Opens a connection and sends text. A connection that is refused or reset counts as closed. */
export function openRaw(port: number, text: string | Buffer = ''): RawSocket {
  const chunks: Buffer[] = [];
  const watchers = new Set<() => void>();
  let closed = false;
  const tell = () => {
    for (const watcher of watchers) watcher();
  };
  const socket = connect(port, '127.0.0.1');
  socket
    .on('error', () => {})
    .on('close', () => {
      closed = true;
      tell();
    });
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    tell();
  });
  if (text.length > 0) socket.write(text);
  const answer = (): RawAnswer => {
    const whole = Buffer.concat(chunks).toString('latin1');
    return { statuses: [...whole.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)), text: whole, closed };
  };
  const when = (holds: () => boolean, ms: number) =>
    new Promise<RawAnswer>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        watchers.delete(look);
        resolve(answer());
      };
      const look = () => {
        if (closed || holds()) done();
      };
      const timer = setTimeout(done, ms);
      watchers.add(look);
      look();
    });
  return {
    socket,
    answer,
    closed: (ms) => when(() => false, ms),
    answered: (count, ms) => when(() => answer().statuses.length >= count, ms),
  };
}

/** Sends text, and gives what is answered until the other side closes, or is silent for half a second after an answer. */
export async function sendRaw(port: number, text: string | Buffer, ms = 5_000): Promise<RawAnswer> {
  const raw = openRaw(port, text);
  await raw.answered(1, ms);
  const answer = await raw.closed(500);
  raw.socket.destroy();
  return answer;
}

export interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

export interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export const JSON_POST = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** One request on a connection of its own; also one with a `Host` of somebody else. Rejects when it is not answered. */
export function send(port: number, { method = 'POST', path = '/mcp', headers = {}, body }: Request): Promise<Response> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      port,
      host: '127.0.0.1',
      method,
      path,
      headers: headers as Record<string, string>,
      agent: false,
      timeout: 10_000,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('not answered within 10 s')));
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    outgoing.end(body);
  });
}

/** The text of a request as it goes over the wire. */
export function wire(method: string, headers: Readonly<Record<string, string | number>>, body = '', path = '/mcp'): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}\r\n${body}`;
}

/** A POST of JSON as it goes over the wire. */
export const wirePost = (message: unknown, headers: Readonly<Record<string, string | number>> = {}): string => {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  return wire('POST', { ...JSON_POST, 'Content-Length': Buffer.byteLength(body), ...headers }, body);
};
