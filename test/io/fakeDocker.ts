/** The part of the Docker Engine API that tells of containers, on a Unix socket, with the filters the real one has. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ended } from './sourcesKit.ts';

interface Container {
  readonly id: string;
  readonly names?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly created?: number;
  /** Addresses by network. */
  readonly networks?: Readonly<Record<string, string>>;
  readonly state?: string;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export async function fakeDocker() {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-docker-'));
  const socketPath = join(folder, 'docker.sock');
  const containers = new Map<string, Container>();
  const streams = new Map<ServerResponse, (container: Container, action: string) => boolean>();
  const asked: string[] = [];
  let server: Server | undefined;
  /** Answers instead of the real thing, by path. */
  const instead = new Map<string, Handler>();

  const fail = (response: ServerResponse, status: number, message: string) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
  };

  const handle: Handler = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://docker');
    asked.push(pathname);
    const other = instead.get(pathname);
    if (other) return other(request, response);
    const filters = JSON.parse(searchParams.get('filters') ?? '{}') as Record<string, string[]>;
    const known = pathname === '/events' ? ['type', 'event', 'label'] : ['label', 'status'];
    const unknown = Object.keys(filters).find((key) => !known.includes(key));
    if (unknown) return fail(response, 400, `invalid filter '${unknown}'`);
    const labelled = ({ labels = {} }: Container) =>
      (filters.label ?? []).every((wanted) => {
        const [key = '', value] = wanted.split('=');
        return key in labels && (value === undefined || labels[key] === value);
      });
    response.writeHead(200, { 'content-type': 'application/json' });
    if (pathname === '/events') {
      response.flushHeaders();
      streams.set(response, (one, action) => labelled(one) && (filters.event ?? [action]).some((event) => action.startsWith(event)));
      response.once('close', () => streams.delete(response));
      return;
    }
    const shown = [...containers.values()].filter(
      (one) => labelled(one) && (filters.status ?? ['running']).includes(one.state ?? 'running'),
    );
    response.end(JSON.stringify(shown.map(listed)));
  };

  const tell = (container: Container, action: string) => {
    for (const [stream, wanted] of streams) {
      if (!wanted(container, action)) continue;
      const { id, labels } = container;
      stream.write(`${JSON.stringify({ status: action, id, Type: 'container', Action: action, Actor: { ID: id, Attributes: labels } })}\n`);
    }
  };

  const hangUp = () => {
    for (const stream of streams.keys()) stream.destroy();
  };

  const down = async () => {
    const old = server;
    server = undefined;
    await ended(old);
  };

  const docker = {
    socketPath,
    folder,
    asked,
    instead,
    get streams() {
      return streams.size;
    },
    run(container: Container) {
      containers.set(container.id, container);
      tell(container, 'start');
    },
    /** Without a word about it. */
    put: (container: Container) => void containers.set(container.id, container),
    die(id: string) {
      const container = containers.get(id);
      containers.delete(id);
      if (container) tell(container, 'die');
    },
    rename(id: string, name: string) {
      const container = { ...(containers.get(id) as Container), names: [`/${name}`] };
      containers.set(id, container);
      tell(container, 'rename');
    },
    /** Into the open streams, as it is. */
    say(text: string) {
      for (const stream of streams.keys()) stream.write(text);
    },
    hangUp,
    down,
    async up() {
      server = createServer(handle);
      await new Promise<void>((resolve) => server?.listen(socketPath, resolve));
    },
  };
  await docker.up();
  onTestFinished(async () => {
    await down();
    rmSync(folder, { recursive: true, force: true });
  });
  return docker;
}

const listed = ({
  id,
  names = [`/${id}`],
  labels = {},
  created = 1,
  networks = { bridge: '172.17.0.2' },
  state = 'running',
}: Container) => ({
  Id: id,
  Names: names,
  Labels: labels,
  Created: created,
  State: state,
  NetworkSettings: {
    Networks: Object.fromEntries(
      Object.entries(networks).map(([name, address]) => [
        name,
        address.includes(':') ? { IPAddress: '', GlobalIPv6Address: address } : { IPAddress: address, GlobalIPv6Address: '' },
      ]),
    ),
  },
});
