/** A raw JSON-RPC client: it sends what it is told, in the order it is told, and keeps everything that arrives. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { createInterface } from 'node:readline';
import type { Json } from '../../src/world.ts';
import { messagesOf } from '../support/eventStream.ts';

export type Id = string | number;

/** What carries messages; `receive` is set before the first one is sent. */
interface Channel {
  receive: (message: Json) => void;
  send(message: Json): void;
  close(): Promise<void>;
}

export interface RawClient {
  readonly initialized: Json;
  /** Called with everything that arrives, in order. */
  onmessage: (message: Json) => void;
  send(message: Json): void;
  /** Looks after every arrival; false when `ms` went by. */
  until(done: () => boolean, ms: number): Promise<boolean>;
  close(): Promise<void>;
}

const VERSION = '2025-11-25';

async function handshake(channel: Channel, capabilities: Json): Promise<RawClient> {
  const waiting = new Set<() => void>();
  const client: RawClient & { initialized: Json } = {
    initialized: {},
    onmessage: () => {},
    send: (message) => channel.send({ jsonrpc: '2.0', ...message }),
    until: (done, ms) =>
      new Promise((resolve) => {
        const finish = (value: boolean) => {
          clearTimeout(timer);
          waiting.delete(look);
          resolve(value);
        };
        const look = () => {
          if (done()) finish(true);
        };
        const timer = setTimeout(() => finish(done()), ms);
        waiting.add(look);
        look();
      }),
    close: () => channel.close(),
  };
  channel.receive = (message) => {
    client.onmessage(message);
    for (const look of [...waiting]) look();
  };
  let opening: Json | undefined;
  client.onmessage = (message) => {
    if (message.id === 'initialize') opening = message;
  };
  client.send({
    id: 'initialize',
    method: 'initialize',
    params: { protocolVersion: VERSION, capabilities, clientInfo: { name: 'differential', version: '1' } },
  });
  if (!(await client.until(() => opening !== undefined, 20_000))) throw new Error('initialize was not answered');
  client.send({ method: 'notifications/initialized' });
  client.initialized = opening?.result as Json;
  return client;
}

/** A program that speaks MCP on its stdin and stdout. */
export function overStdio(command: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }, capabilities: Json) {
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const complaints: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    complaints.push(line);
    if (complaints.length > 50) complaints.shift();
  });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  const channel: Channel = {
    receive: () => {},
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    close: () => stop(child, exited),
  };
  child.stdin.on('error', () => {});
  // Anything that is not JSON fails the test right here.
  createInterface({ input: child.stdout }).on('line', (line) => channel.receive(JSON.parse(line) as Json));
  return handshake(channel, capabilities).catch(async (error: Error) => {
    await channel.close();
    throw new Error(`${error.message}\n${complaints.join('\n')}`);
  });
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  // The reference server does not end with its stdin while it has timers.
  child.kill('SIGTERM');
  await exited;
  clearTimeout(timer);
}

/** Streamable HTTP: every request on a POST of its own, everything else of the server on the GET stream. */
export async function overHttp(endpoint: string, capabilities: Json): Promise<RawClient> {
  const aborter = new AbortController();
  // One for each request that was ever sent.
  setMaxListeners(0, aborter.signal);
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  let ended = false;

  const read = async (answer: Response) => {
    if (answer.headers.get('content-type')?.startsWith('text/event-stream')) {
      for await (const message of messagesOf(answer)) channel.receive(message);
    } else {
      const text = await answer.text();
      if (text !== '') channel.receive(JSON.parse(text) as Json);
    }
  };
  const exchange = (method: 'GET' | 'POST', body?: string) => {
    const own = method === 'GET' ? { ...headers, accept: 'text/event-stream' } : headers;
    return fetch(endpoint, { method, headers: own, signal: aborter.signal, ...(body !== undefined && { body }) });
  };
  const report = (error: unknown) => {
    if (!ended) channel.receive({ method: 'transport failure', params: { message: String(error) } });
  };
  const channel: Channel = {
    receive: () => {},
    send(message) {
      exchange('POST', JSON.stringify(message))
        .then((answer) => {
          const session = answer.headers.get('mcp-session-id');
          if (session !== null) Object.assign(headers, { 'mcp-session-id': session, 'mcp-protocol-version': VERSION });
          return read(answer);
        })
        .catch(report);
    },
    async close() {
      ended = true;
      aborter.abort();
      await fetch(endpoint, { method: 'DELETE', headers });
    },
  };
  const client = await handshake(channel, capabilities);
  const stream = await exchange('GET');
  read(stream).catch(report);
  return client;
}
