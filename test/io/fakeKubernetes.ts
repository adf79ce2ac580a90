/** The part of the Kubernetes API that lists and watches Services, with its resource versions, pages, bookmarks and refusals. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ended } from './sourcesKit.ts';

export interface Service {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly resourceVersion?: string;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

interface Change {
  readonly version: number;
  readonly before: Service | undefined;
  readonly after: Service | undefined;
}

type Selects = (service: Service | undefined) => boolean;
type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const TLS = join(import.meta.dirname, '../fixtures/tls');

export async function fakeKubernetes({ secure = false } = {}) {
  const services = new Map<string, Service>();
  const watches = new Map<ServerResponse, (change: Change) => void>();
  const changes: Change[] = [];
  /** `list` or `watch`, and the query. */
  const asked: { readonly verb: 'list' | 'watch'; readonly path: string; readonly query: URLSearchParams; readonly token: string }[] = [];
  const denied = new Set<'list' | 'watch'>();
  let version = 100;
  /** What happened up to it is forgotten. */
  let compacted = 0;
  let token = 'first';
  let port = 0;
  /** Answers requests of the verb instead of the real thing. */
  const instead = new Map<'list' | 'watch', Handler>();

  const refuse = (response: ServerResponse, code: number, reason: string, message: string) => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(status(code, reason, message)));
  };

  const handle: Handler = (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://kubernetes');
    const [, namespace] = /^\/api\/v1(?:\/namespaces\/([^/]+))?\/services$/.exec(pathname) ?? [];
    const verb = query.has('watch') ? 'watch' : 'list';
    const given = request.headers.authorization ?? '';
    asked.push({ verb, path: pathname, query, token: given });
    if (given !== `Bearer ${token}`) return refuse(response, 401, 'Unauthorized', 'Unauthorized');
    if (denied.has(verb)) {
      const message = `services is forbidden: User "system:serviceaccount:x:onemcp" cannot ${verb} resource "services"`;
      return refuse(response, 403, 'Forbidden', message);
    }
    const other = instead.get(verb);
    if (other) return other(request, response);
    const wanted = new URLSearchParams((query.get('labelSelector') ?? '').replaceAll(',', '&'));
    const selects: Selects = (service) =>
      service !== undefined &&
      (namespace === undefined || service.metadata.namespace === namespace) &&
      [...wanted].every(([key, value]) => service.metadata.labels?.[key] === value);
    if (verb === 'list') list(query, selects, response);
    else watch(query, selects, response);
  };

  const list = (query: URLSearchParams, selects: Selects, response: ServerResponse) => {
    const limit = Number(query.get('limit') ?? 0);
    const [at, from] = JSON.parse(Buffer.from(query.get('continue') ?? '', 'base64').toString() || `[${version},0]`) as [number, number];
    if (at < compacted) return refuse(response, 410, 'Expired', 'The provided continue parameter is too old');
    const all = [...services.values()].filter(selects);
    const items = limit > 0 ? all.slice(from, from + limit) : all;
    const more = from + items.length < all.length;
    const next = more && { continue: Buffer.from(JSON.stringify([at, from + items.length])).toString('base64') };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'ServiceList', apiVersion: 'v1', metadata: { resourceVersion: String(at), ...next }, items }));
  };

  const watch = (query: URLSearchParams, selects: Selects, response: ServerResponse) => {
    const from = Number(query.get('resourceVersion'));
    if (from < compacted) return refuse(response, 410, 'Expired', `too old resource version: ${from} (${compacted})`);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const tell = ({ before, after, version: at }: Change) => {
      const [was, is] = [selects(before), selects(after)];
      if (!was && !is) return;
      const type = was ? (is ? 'MODIFIED' : 'DELETED') : 'ADDED';
      const object = is ? after : before && { ...before, metadata: { ...before.metadata, resourceVersion: String(at) } };
      response.write(`${JSON.stringify({ type, object })}\n`);
    };
    for (const change of changes) if (change.version > from) tell(change);
    watches.set(response, tell);
    const timer = setTimeout(() => response.end(), Number(query.get('timeoutSeconds')) * 1000);
    response.once('close', () => {
      clearTimeout(timer);
      watches.delete(response);
    });
  };

  const change = (key: string, after: Service | undefined) => {
    const before = services.get(key);
    version++;
    const stored = after && { ...after, metadata: { ...after.metadata, resourceVersion: String(version) } };
    if (stored) services.set(key, stored);
    else services.delete(key);
    const one = { version, before, after: stored };
    changes.push(one);
    for (const tell of watches.values()) tell(one);
  };

  const start = async () => {
    const server = secure
      ? createSecureServer({ key: readFileSync(join(TLS, 'server.key')), cert: readFileSync(join(TLS, 'server.pem')) }, handle)
      : createServer(handle);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    return server;
  };
  let server: Awaited<ReturnType<typeof start>> | undefined = await start();
  const down = async () => {
    const old = server;
    server = undefined;
    await ended(old);
  };
  onTestFinished(down);

  const say = (event: unknown) => {
    for (const stream of watches.keys()) stream.write(typeof event === 'string' ? event : `${JSON.stringify(event)}\n`);
  };

  return {
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    asked,
    denied,
    instead,
    get watches() {
      return watches.size;
    },
    count: (verb: 'list' | 'watch') => asked.filter((one) => one.verb === verb).length,
    apply: (service: Service) => change(keyOf(service), service),
    remove: (name: string, namespace = 'tools') => change(`${namespace}/${name}`, undefined),
    /** A bookmark of now. */
    bookmark: () => say({ type: 'BOOKMARK', object: { kind: 'Service', metadata: { resourceVersion: String(version) } } }),
    /** As etcd does every five minutes. */
    compact: () => {
      compacted = ++version;
    },
    expire: () => say({ type: 'ERROR', object: status(410, 'Expired', 'too old resource version') }),
    say,
    hangUp() {
      for (const stream of watches.keys()) stream.destroy();
    },
    accept: (next: string) => {
      token = next;
    },
    down,
    async up() {
      server = await start();
    },
  };
}

const keyOf = ({ metadata }: Service) => `${metadata.namespace}/${metadata.name}`;

const status = (code: number, reason: string, message: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
});
