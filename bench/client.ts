/** A small MCP client for what is measured by hand: first answers, many sessions, open streams. */
import { Pool } from 'undici';

const ACCEPT = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } },
});
const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });

/** Sessions with one endpoint, over a few kept connections. */
export interface Client {
  /** Opens a session, `notifications/initialized` included. @returns its id. */
  open(): Promise<string>;
  /** Sends a request in a session and resolves with its result. */
  request(session: string, method: string): Promise<Record<string, unknown>>;
  /** Opens the GET stream of a session, on a connection of its own, and leaves it open. */
  listen(session: string): Promise<void>;
  /** Ends a session with DELETE. */
  end(session: string): Promise<void>;
  /** Drops every connection. */
  close(): Promise<void>;
}

/** A client of the endpoint at `url`. */
export function createClient(url: string): Client {
  const { origin, pathname: path } = new URL(url);
  const calls = new Pool(origin, { connections: 8 });
  const streams = new Pool(origin, { connections: null, bodyTimeout: 0 });

  async function post(body: string, session?: string) {
    const headers = session === undefined ? ACCEPT : { ...ACCEPT, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
    const answer = await calls.request({ path, method: 'POST', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`HTTP ${answer.statusCode}: ${text.slice(0, 200)}`);
    return { headers: answer.headers, text };
  }

  return {
    async open() {
      const { headers, text } = await post(INITIALIZE);
      result(text);
      const session = String(headers['mcp-session-id'] ?? '');
      await post(INITIALIZED, session);
      return session;
    },
    async request(session, method) {
      const { text } = await post(JSON.stringify({ jsonrpc: '2.0', id: 2, method }), session);
      return result(text);
    },
    async listen(session) {
      const headers = { accept: 'text/event-stream', 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
      const { statusCode, body } = await streams.request({ path, method: 'GET', headers });
      // Errors are expected here: the stream ends when the client is closed.
      body.on('error', () => {}).resume();
      if (statusCode !== 200) throw new Error(`GET stream: HTTP ${statusCode}`);
    },
    async end(session) {
      const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
      const { statusCode, body } = await calls.request({ path, method: 'DELETE', headers });
      await body.dump();
      if (statusCode >= 300) throw new Error(`DELETE: HTTP ${statusCode}`);
    },
    async close() {
      await Promise.all([calls.destroy(), streams.destroy()]);
    },
  };
}

/** The result in an answer that is JSON, or an event stream whose last event is the answer. */
function result(text: string): Record<string, unknown> {
  const json = text.startsWith('{')
    ? text
    : (text
        .match(/^data:.*$/gm)
        ?.at(-1)
        ?.slice(5) ?? '');
  const message = JSON.parse(json) as { result?: Record<string, unknown> };
  if (message.result === undefined) throw new Error(`no result: ${text.slice(0, 200)}`);
  return message.result;
}

/** Runs `task` for each item, at most eight at once. */
export async function eightAtOnce<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const [index, item] of queue) results[index] = await task(item);
    }),
  );
  return results;
}
