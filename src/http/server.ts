import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OnemcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { createGarbage } from './garbage.ts';
import { createUnread, watchedResponse } from './unread.ts';

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
  /** Stops listening, lets answers end, then drops what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly fetch: (request: Request, env: never) => Response | Promise<Response>;
  /** Takes a request before the app sees it; false leaves it to the app. */
  readonly express: (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;
  readonly host: string;
  readonly port: number;
  readonly limits: Limits;
  /** Connections were closed because their clients did not read; said at most once a minute. */
  readonly onUnread?: (connections: number) => void;
}

const MAX_HEADER_BYTES = 16_384;

/**
 * Opens the listener.
 * @throws OnemcpError `port_in_use`
 */
export async function listen({ fetch, express, host, port, limits, onUnread = () => {} }: ListenOptions): Promise<HttpServer> {
  let listener: ReturnType<typeof createListener> | undefined;
  const unread = createUnread({
    maxBytes: limits['http.unreadBytes'],
    timeout: limits['http.writeTimeout'],
    onClosed: onUnread,
    garbage: createGarbage(limits['http.unreadBytes'] / 2),
  });
  const server: Server = createServer(
    {
      ServerResponse: watchedResponse(unread),
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits['http.headersTimeout'],
      requestTimeout: limits['http.requestTimeout'],
      keepAliveTimeout: limits['http.keepAliveTimeout'],
      connectionsCheckingInterval: 1_000,
    },
    (incoming, outgoing) => {
      if (express(incoming, outgoing)) return;
      // HTTP/1.0 needs none, and probes still speak it; no name of ours, so that only what is open to all answers.
      incoming.headers.host ??= 'no-host.invalid';
      listener ??= createListener(fetch);
      void listener.then((handle) => handle(incoming, outgoing));
    },
  );
  server.maxConnections = limits['http.maxConnections'];
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    host,
    port: address.port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    close: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          unread.close();
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

/**
 * Hono's way from Node to `fetch` and back. Loaded with the first request that takes it: it costs a start twenty
 * milliseconds. `RESPONSE_ALREADY_SENT` has to exist before the listener replaces the global `Response`.
 */
export async function createListener(fetch: (request: Request, env: never) => Response | Promise<Response>) {
  const [{ getRequestListener }] = await Promise.all([import('@hono/node-server'), import('@hono/node-server/utils/response')]);
  return getRequestListener(fetch as never);
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): OnemcpError {
  if (error.code === 'EADDRINUSE') {
    return new OnemcpError('port_in_use', `port ${port} on ${host} is in use; stop the other program or choose another port with --port`);
  }
  if (error.code === 'EACCES')
    return new OnemcpError('port_in_use', `port ${port} may not be opened by this user; choose one above 1023 with --port`);
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new OnemcpError('port_in_use', `"${host}" is not an address of this machine; choose another with --host`);
  }
  return new OnemcpError('port_in_use', `cannot listen on ${host}:${port}: ${error.message}`);
}
