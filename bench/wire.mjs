/**
 * One keep-alive HTTP/1.1 connection on a bare socket, one exchange at a time. With undici the load generator spent
 * 85 µs a call, more than a good target spends on it, and was itself what limited calls/s; so it costs about 55.
 */
import { connect } from 'node:net';

const BLANK = Buffer.from('\r\n\r\n');

/** The lower-cased headers and the status of a response head. */
function parseHead(text) {
  const [first, ...lines] = text.split('\r\n');
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(first.slice(9, 12)), headers };
}

/** The body of a chunked message that starts at `from`; undefined while it is incomplete. */
function chunked(buffer, from) {
  const parts = [];
  for (let at = from; ; ) {
    const line = buffer.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(buffer.latin1Slice(at, line), 16);
    const end = line + 2 + size;
    if (buffer.length < end + 2) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(buffer.subarray(line + 2, end));
    at = end + 2;
  }
}

/** A connection to `origin`; `exchange` resolves with `{ status, headers, body }`, the body as a Buffer. */
export function openWire(origin, timeoutMs = 30_000) {
  const { hostname, port, host } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  let pending;
  let parts = [];
  let size = 0;
  let head;
  let bodyAt = 0;

  /** Everything received so far in one piece; joined only where it must be, for a big answer comes in many chunks. */
  const joined = () => {
    if (parts.length > 1) parts = [Buffer.concat(parts)];
    return parts[0];
  };

  const settle = (error, answer) => {
    const { resolve, reject } = pending ?? {};
    pending = undefined;
    parts = [];
    size = 0;
    head = undefined;
    if (error) reject?.(error);
    else resolve?.(answer);
  };

  socket.on('data', (chunk) => {
    parts.push(chunk);
    size += chunk.length;
    if (head === undefined) {
      const end = joined().indexOf(BLANK);
      if (end < 0) return;
      head = parseHead(joined().latin1Slice(0, end));
      bodyAt = end + 4;
    }
    let body;
    if (head.headers['transfer-encoding'] === 'chunked') {
      if (chunk.at(-1) === 0x0a) body = chunked(joined(), bodyAt);
    } else {
      const end = bodyAt + Number(head.headers['content-length'] ?? 0);
      if (size >= end) body = joined().subarray(bodyAt, end);
    }
    if (body !== undefined) settle(undefined, { ...head, body });
  });
  socket.setTimeout(timeoutMs, () => {
    if (pending) socket.destroy(new Error(`no answer within ${timeoutMs} ms`));
  });
  socket.on('error', (error) => settle(error));
  socket.on('close', () => settle(new Error('connection closed before the answer')));

  return {
    exchange(method, path, headers, body = '') {
      return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('connection closed'));
        pending = { resolve, reject };
        const length = body === '' && method !== 'POST' ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
        socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${headers}${length}\r\n${body}`);
      });
    },
    close: () => socket.destroy(),
  };
}
