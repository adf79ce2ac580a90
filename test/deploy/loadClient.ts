/** Clients that call without a pause and follow the protocol: on 404 they begin a new session and repeat the call. */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { JsonRpcMessage } from '../../src/world.ts';

export interface LoadCounts {
  /** Calls that were begun; each ends as answered or failed. */
  calls: number;
  answered: number;
  /** Sessions that were begun; beyond one for each client they replace ones that were over. */
  sessions: number;
  /** Answers 503 with Retry-After that a client saw and waited for. */
  refused: number;
  readonly failures: string[];
  /** Milliseconds that each call took, new session included. */
  readonly times: number[];
}

export interface Load {
  readonly counts: LoadCounts;
  /** Lets every call end; resolves with what came of them. */
  stop(): Promise<LoadCounts>;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const VERSION = '2025-11-25';

/** One POST on a kept connection of the client, as real clients have it. */
const post = (url: string, agent: Agent, body: unknown, headers: Readonly<Record<string, string>>): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request(`${url}/mcp`, { method: 'POST', agent, headers: { ...HEADERS, ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      answer.once('error', reject);
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });

/** The last message of a JSON answer, or of an event stream. */
function lastIn({ headers, text }: Reply): JsonRpcMessage | undefined {
  if (!String(headers['content-type']).startsWith('text/event-stream')) return JSON.parse(text) as JsonRpcMessage;
  const data = [...text.matchAll(/^data: (.+)$/gm)].at(-1)?.[1];
  return data === undefined ? undefined : (JSON.parse(data) as JsonRpcMessage);
}

export interface LoadOptions {
  /** Where clients come in, without the path. */
  readonly url: string;
  readonly clients: number;
  /** The tool that is called with `{ text }`, and answers with its arguments. */
  readonly tool: string;
  /** Milliseconds between two calls of a client; default: none. */
  readonly pause?: number;
}

/** Starts clients that call until they are stopped. */
export function startLoad({ url, clients, tool, pause = 0 }: LoadOptions): Load {
  const counts: LoadCounts = { calls: 0, answered: 0, sessions: 0, refused: 0, failures: [], times: [] };
  let over = false;

  const client = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let session: string | undefined;
    let id = 0;
    const open = async (): Promise<string> => {
      const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'load', version: '1' } };
      const answer = await post(url, agent, { jsonrpc: '2.0', id: `open-${id++}`, method: 'initialize', params }, {});
      if (answer.status === 503 && answer.headers['retry-after'] !== undefined) {
        counts.refused++;
        // Not the whole time: a test has none to spare.
        await new Promise((resolve) => setTimeout(resolve, 200));
        return open();
      }
      if (answer.status !== 200) throw new Error(`initialize: HTTP ${answer.status} ${answer.text.slice(0, 200)}`);
      counts.sessions++;
      const opened = String(answer.headers['mcp-session-id']);
      const own = { 'mcp-session-id': opened, 'mcp-protocol-version': VERSION };
      const told = await post(url, agent, { jsonrpc: '2.0', method: 'notifications/initialized' }, own);
      // The session may be over again already.
      return told.status === 404 ? open() : opened;
    };
    const call = async (text: string): Promise<void> => {
      session ??= await open();
      const own = { 'mcp-session-id': session, 'mcp-protocol-version': VERSION };
      const params = { name: tool, arguments: { text } };
      const answer = await post(url, agent, { jsonrpc: '2.0', id: id++, method: 'tools/call', params }, own);
      if (answer.status === 404) {
        session = undefined;
        return call(text);
      }
      const last = answer.status === 200 ? lastIn(answer) : undefined;
      const result = last?.result as { isError?: boolean; content?: { text?: string }[] } | undefined;
      if (!result || result.isError || !result.content?.[0]?.text?.includes(text)) {
        throw new Error(`tools/call: HTTP ${answer.status} ${answer.text.slice(0, 300)}`);
      }
    };
    while (!over) {
      counts.calls++;
      const began = performance.now();
      try {
        await call(randomUUID());
        counts.answered++;
      } catch (error) {
        counts.failures.push((error as Error).message);
      }
      counts.times.push(performance.now() - began);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    agent.destroy();
  };

  const all = Promise.all(Array.from({ length: clients }, client));
  return {
    counts,
    async stop() {
      over = true;
      await all;
      return counts;
    },
  };
}

/** What came of a load, in one line. */
export const summary = ({ calls, answered, sessions, refused, failures, times }: LoadCounts): string => {
  const longest = times.reduce((most, time) => Math.max(most, time), 0);
  return `${calls} calls, ${answered} answered, ${failures.length} failed; ${sessions} sessions, ${refused} refused with 503; longest ${longest.toFixed(0)} ms`;
};
