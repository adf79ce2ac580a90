import { STATUS_CODES } from 'node:http';
import { OnemcpError } from '../errors.ts';
import type { JsonRpcMessage } from '../world.ts';
import { notSent } from './notSent.ts';

/** Header names are in lower case. */
export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Why an HTTP exchange gave no answer. */
export interface HttpFailure {
  readonly error: OnemcpError;
  /** There was no HTTP answer, or it broke off: the server may be gone. */
  readonly lost: boolean;
  /** No connection came about: nothing was sent. */
  readonly unsent?: boolean;
  readonly status?: number;
  /** JSON-RPC message in the body of an HTTP error. */
  readonly rpc?: JsonRpcMessage;
}

/** Whom an error is about. */
export interface HttpTarget {
  /** Name of the backend. */
  readonly name: string;
  /** Scheme, host and port: the rest of a URL may hold a credential. */
  readonly origin: string;
  readonly redact: (text: string) => string;
}

const RETRY_AFTER_CAP_MS = 300_000;
const TEXT_CAP = 300;

const CONNECTION: Readonly<Record<string, readonly [reason: string, says: string]>> = {
  ECONNREFUSED: ['connection-refused', 'refuses connections: is it running, and is the url right?'],
  ENOTFOUND: ['dns', 'has a host name that cannot be resolved: check its url'],
  EAI_AGAIN: ['dns', 'has a host name that cannot be resolved at the moment: check the network'],
  EHOSTUNREACH: ['unreachable', 'cannot be reached: check the network'],
  ENETUNREACH: ['unreachable', 'cannot be reached: check the network'],
  ETIMEDOUT: ['connect-timeout', 'did not accept a connection in time'],
  UND_ERR_CONNECT_TIMEOUT: ['connect-timeout', 'did not accept a connection in time'],
  ECONNRESET: ['connection-lost', 'closed the connection before it had answered'],
  EPIPE: ['connection-lost', 'closed the connection before it had answered'],
  UND_ERR_SOCKET: ['connection-lost', 'closed the connection before it had answered'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['connection-lost', 'closed the connection in the middle of its answer'],
};

/** An error of undici, the network or TLS. Node's `error.code` decides. */
export function connectionFailure({ name, origin, redact }: HttpTarget, thrown: unknown): HttpFailure {
  const { code = '', message } = thrown as NodeJS.ErrnoException;
  const known = CONNECTION[code];
  const fail = (reason: string, says: string): HttpFailure => ({
    error: new OnemcpError(
      'connection_failed',
      redact(`"${name}" at ${origin} ${says}`),
      { server: name, reason, retryable: true },
      thrown,
    ),
    lost: true,
    unsent: neverConnected(thrown),
  });
  if (known) return fail(...known);
  if (/CERT|SELF_SIGNED|TLS|SSL/.test(code)) return fail('tls', `has no connection that can be trusted (${code})`);
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return invalidAnswer({ name, origin, redact }, `something that is not HTTP (${code}): check its url`);
  }
  return fail('connection-failed', `cannot be used: ${plain(redact(message))}`);
}

/** Whether it failed before there was a connection; the same codes occur on connections that stand. */
function neverConnected(thrown: unknown): boolean {
  const { code, syscall } = thrown as NodeJS.ErrnoException;
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || syscall === 'connect' || syscall === 'getaddrinfo') return true;
  // Several addresses were tried.
  return thrown instanceof AggregateError && thrown.errors.length > 0 && thrown.errors.every(neverConnected);
}

/** What a request fails with. */
export const failureOf = ({ error, unsent }: HttpFailure): OnemcpError => (unsent ? notSent(error) : error);

/** The answer cannot be understood. `with` completes "… answered with". */
export function invalidAnswer({ name, redact }: HttpTarget, answered: string): HttpFailure {
  return {
    error: new OnemcpError('invalid_response', redact(`"${name}" answered with ${answered}`), { server: name, reason: 'invalid-response' }),
    lost: false,
  };
}

/** The answer grew beyond `message.maxBytes` while it was read. */
export function tooLarge({ name }: HttpTarget, maxBytes: number): HttpFailure {
  const limit = maxBytes >= 1 << 20 ? `${+(maxBytes / (1 << 20)).toFixed(1)} MiB` : `${maxBytes} bytes`;
  return {
    error: new OnemcpError('message_too_large', `"${name}" sent an answer larger than ${limit}, so it was discarded`, {
      server: name,
      reason: 'too-large',
    }),
    lost: false,
  };
}

/** A web page came where a JSON-RPC message was expected. */
export function webPage({ name }: HttpTarget): HttpFailure {
  return {
    error: new OnemcpError('invalid_response', `"${name}" answered with HTML: this is a web page, not an MCP endpoint; check its url`, {
      server: name,
      reason: 'web-page',
    }),
    lost: false,
  };
}

/** A redirect that is not followed: a credential must not reach another place than the one it was configured for. */
export function redirected({ name, origin, redact }: HttpTarget, status: number, location: URL | undefined): HttpFailure {
  const where = location === undefined ? 'nowhere' : location.origin === origin ? 'another path' : location.origin;
  return {
    error: new OnemcpError(
      'http_status',
      redact(`"${name}" redirects to ${where}, which is not followed: set its url to the final address`),
      {
        server: name,
        reason: 'redirect',
        status,
        ...(location && { location: redact(location.origin) }),
      },
    ),
    lost: false,
    status,
  };
}

/** An HTTP error. `body` is the start of its body. */
export function statusFailure(target: HttpTarget, status: number, headers: HttpHeaders, rpc?: JsonRpcMessage): HttpFailure {
  const { name, redact } = target;
  const after = status === 429 || status === 503 ? retryAfterMs(headers['retry-after']) : undefined;
  const said = rpc?.error && typeof rpc.error.message === 'string' ? plain(redact(rpc.error.message)) : '';
  const advice =
    status === 401 || status === 403
      ? 'check its credentials (headers) in the configuration'
      : isHtml(headers)
        ? 'this is a web page, not an MCP endpoint; check its url'
        : said;
  const text = `"${name}" answered ${status}${STATUS_CODES[status] ? ` ${STATUS_CODES[status]}` : ''}${advice && `: ${advice}`}`;
  return {
    error: new OnemcpError('http_status', redact(text), {
      server: name,
      reason: 'http-status',
      status,
      retryable: status === 429 || status >= 500,
      ...(after !== undefined && { retryAfterMs: after }),
    }),
    lost: false,
    status,
    ...(rpc && { rpc }),
  };
}

/** Whether the body is a web page. */
export const isHtml = (headers: HttpHeaders): boolean => String(headers['content-type'] ?? '').startsWith('text/html');

/** Seconds or a date, RFC 9110 §10.2.3; capped, so that no server can switch itself off for a day. */
export function retryAfterMs(value: string | string[] | undefined): number | undefined {
  const text = String(value ?? '').trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_CAP_MS);
}

/** Foreign text, redacted, for an error message: one line, no terminal escapes, no bidi, not long. */
const plain = (text: string): string => text.slice(0, TEXT_CAP).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
