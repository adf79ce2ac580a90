import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { type Dispatcher, Pool } from 'undici';
import type { MaybeSecret, RemoteBackendSpec } from '../config/config.ts';
import { OnemcpError } from '../errors.ts';
import type { IoDeps } from './deps.ts';
import { connectionFailure, type HttpFailure, type HttpHeaders, type HttpTarget, invalidAnswer, redirected } from './httpErrors.ts';
import type { Pace } from './pace.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Names and values in turn, as `HttpClient.headers` built them. */
  readonly headers: string[];
  readonly body?: string;
  /** Path and query; the configured one unless given. */
  readonly path?: string;
}

/** Where an answer goes: `onhead` once, `ondata` as often as needed, then `onend` or `onfail`. */
export interface HttpSink {
  /** False: the rest of the answer is not wanted, and none of the other functions is called any more. */
  onhead(status: number, headers: HttpHeaders): boolean;
  ondata(chunk: Buffer): boolean;
  onend(): void;
  onfail(failure: HttpFailure): void;
}

export interface Exchange {
  /**
   * Ends the exchange; its sink hears nothing more. Idempotent.
   * @returns whether the request may have been written, in part or whole
   */
  abort(): boolean;
}

/** HTTP toward one backend: one pool of kept connections to one origin. */
export interface HttpClient {
  readonly target: HttpTarget;
  readonly url: URL;
  /** Header list of a request: `extra`, then the configured headers, then what every request has. */
  headers(extra: Readonly<Record<string, string | undefined>>): string[];
  send(request: HttpRequest, sink: HttpSink): Exchange;
  /** Ends every exchange and connection. */
  destroy(): Promise<void>;
}

/** Headers that are the protocol's business; configured ones of these names are left out. */
const RESERVED = new Set(
  'accept accept-encoding connection content-encoding content-length content-type expect host keep-alive last-event-id mcp-protocol-version mcp-session-id te trailer transfer-encoding upgrade'.split(
    ' ',
  ),
);
const MAX_CONNECTIONS = 512;
const MAX_REDIRECTS = 3;

/**
 * Headers are built here and never copied from a client; redirects are followed only within the origin, so no credential
 * leaves it. There are no timeouts after the connection stands: whoever sends a request has one.
 * @throws OnemcpError `connection_failed` when the URL or a header cannot be used.
 */
export function createHttpClient(spec: RemoteBackendSpec, { log, redact }: IoDeps, pace: Pace): HttpClient {
  const { name } = spec;
  const url = parseUrl(spec);
  const target: HttpTarget = { name, origin: url.origin, redact };
  const fixed = configuredHeaders(spec, url, (header) => log('warn', 'backend.header_ignored', { backend: name, header }));
  const pool = new Pool(url.origin, { connections: MAX_CONNECTIONS, headersTimeout: 0, bodyTimeout: 0 });
  const ownPath = url.pathname + url.search;
  let redirectSeen = false;

  const noteRedirect = (status: number) => {
    if (!redirectSeen) log('warn', 'backend.redirected', { backend: name, status, advice: 'set its url to the final address' });
    redirectSeen = true;
  };

  return {
    target,
    url,
    headers(extra) {
      const list: string[] = [];
      for (const key in extra) {
        const value = extra[key];
        if (value !== undefined) list.push(key, value);
      }
      return list.concat(fixed);
    },

    send(request, sink) {
      let controller: Dispatcher.DispatchController | undefined;
      let decoder: Transform | undefined;
      let done = false;
      let written = false;

      const fail = (failure: HttpFailure) => {
        if (done) return;
        exchange.abort();
        sink.onfail(failure);
      };
      /** `source` rests after a chunk if more comes than is looked at. */
      const data = (chunk: Buffer, source: Source) => {
        if (done) return;
        const began = pace.begin();
        if (!sink.ondata(chunk)) return void exchange.abort();
        const ms = pace.restAfter(began);
        if (ms > 0) rest(source, ms);
      };
      const end = () => {
        if (done) return;
        done = true;
        sink.onend();
      };

      const follow = (status: number, headers: HttpHeaders, base: URL, hops: number) => {
        const location = parseLocation(headers.location, base);
        if ((status !== 307 && status !== 308) || location?.origin !== url.origin || hops >= MAX_REDIRECTS) {
          return fail(redirected(target, status, location));
        }
        noteRedirect(status);
        controller = undefined;
        dispatch(location, hops + 1);
      };

      const dispatch = (at: URL | undefined, hops: number) => {
        let stale = false;
        const path = at ? at.pathname + at.search : (request.path ?? ownPath);
        pool.dispatch(
          { method: request.method, path, headers: request.headers, body: request.body ?? null },
          {
            onRequestStart(started) {
              controller = started;
              written = true;
              if (done) started.abort(ABORTED);
            },
            onResponseStart(started, status, headers) {
              if (done || status < 200) return;
              if (status >= 300 && status < 400) {
                stale = true;
                return follow(status, headers, at ?? new URL(path, url), hops);
              }
              const encoding = headers['content-encoding'];
              if (encoding !== undefined && encoding !== 'identity') {
                decoder = openDecoder(String(encoding).toLowerCase());
                if (!decoder)
                  return fail(invalidAnswer(target, `the content encoding ${JSON.stringify(encoding)}, which was not asked for`));
                const opened = decoder;
                decoder
                  .on('data', (chunk: Buffer) => data(chunk, opened))
                  .on('end', end)
                  .on('drain', () => started.resume());
                decoder.on('error', () => fail(invalidAnswer(target, 'a damaged compressed body')));
              }
              if (!sink.onhead(status, headers)) exchange.abort();
            },
            onResponseData(receiver, chunk) {
              if (stale) return receiver.abort(ABORTED);
              if (done) return;
              if (!decoder) data(chunk, receiver);
              else if (!decoder.write(chunk)) receiver.pause();
            },
            onResponseEnd() {
              if (stale) return;
              if (decoder) decoder.end();
              else end();
            },
            onResponseError(_, error) {
              if (!stale) fail(connectionFailure(target, error));
            },
          },
        );
      };

      const exchange: Exchange = {
        abort() {
          if (done) return written;
          done = true;
          decoder?.destroy();
          controller?.abort(ABORTED);
          return written;
        },
      };
      dispatch(undefined, 0);
      return exchange;
    },

    destroy: () => pool.destroy(),
  };
}

/** What can be told to wait. */
interface Source {
  pause(): unknown;
  resume(): unknown;
}

/** To resume one that is over does nothing. */
function rest(source: Source, ms: number): void {
  source.pause();
  setTimeout(() => source.resume(), ms).unref();
}

/** Made once: a stack trace for each aborted exchange would cost more than the exchange. */
const ABORTED = new Error('aborted');

function openDecoder(encoding: string): Transform | undefined {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip();
  if (encoding === 'br') return createBrotliDecompress();
  return encoding === 'deflate' ? createInflate() : undefined;
}

function parseLocation(location: string | string[] | undefined, base: URL): URL | undefined {
  return typeof location === 'string' && URL.canParse(location, base.href) ? new URL(location, base) : undefined;
}

const reveal = (value: MaybeSecret): string => (typeof value === 'string' ? value : value.reveal());

const unusable = (name: string, what: string): OnemcpError =>
  new OnemcpError('connection_failed', `"${name}" ${what}`, { server: name, reason: 'configuration', retryable: false });

function parseUrl({ name, url }: RemoteBackendSpec): URL {
  const text = reveal(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') throw unusable(name, 'has a url that is not an http or https address');
  return parsed;
}

function configuredHeaders({ name, headers }: RemoteBackendSpec, url: URL, ignored: (header: string) => void): string[] {
  const list = ['accept-encoding', 'identity'];
  const names = new Set<string>();
  for (const [header, configured] of Object.entries(headers)) {
    const lower = header.toLowerCase();
    if (RESERVED.has(lower)) {
      ignored(lower);
      continue;
    }
    const value = reveal(configured);
    try {
      validateHeaderName(header);
      validateHeaderValue(header, value);
    } catch {
      throw unusable(name, `has a header ${JSON.stringify(header)} with characters that HTTP does not allow`);
    }
    names.add(lower);
    list.push(lower, value);
  }
  if (!names.has('user-agent')) list.push('user-agent', 'onemcp');
  if ((url.username || url.password) && !names.has('authorization')) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    list.push('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  }
  return list;
}
