/** One client of a soak: it calls, checks every answer, and is sometimes unfriendly. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';

/** What became of the calls of all clients. */
export interface Counts {
  calls: number;
  answered: number;
  /** Answers to another call, or of another backend. */
  wrong: number;
  /** No answer within the time that a call may take. */
  hangs: number;
  cancelled: number;
  sessions: number;
  /** Errors by their reason: expected of backends that fail. */
  readonly errors: Map<string, number>;
  readonly examples: string[];
}

export interface ClientOptions {
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly backends: readonly string[];
  /** Milliseconds within which every call is answered, one way or another. */
  readonly patience: number;
  /** Milliseconds between two calls. */
  readonly pause: number;
  /** What it does besides calling. */
  readonly habit: 'steady' | 'reconnects' | 'cancels';
  readonly counts: Counts;
  readonly random: () => number;
}

const VERSION = '2025-11-25';
const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Calls until the signal says that it is enough. */
export async function runClient(options: ClientOptions, signal: AbortSignal): Promise<void> {
  const { pause, habit, counts, random } = options;
  let session: string | undefined;
  while (!signal.aborted) {
    try {
      session ??= await open(options);
      if (habit === 'cancels' && random() < 0.2) await cancelledCall(options, session);
      else await checkedCall(options, session);
      if (habit === 'reconnects' && random() < 0.1) {
        await send(options, { method: 'DELETE', session });
        session = undefined;
      }
    } catch (error) {
      fail(counts, 'wrong', `a request failed: ${(error as Error).message}`);
      session = undefined;
    }
    await sleep(pause * (0.5 + random()));
  }
  if (session !== undefined) await send(options, { method: 'DELETE', session }).catch(() => {});
}

async function open(options: ClientOptions): Promise<string> {
  const initialize = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'soak', version: '1.0.0' } };
  const { status, session, text } = await send(options, { body: { jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize } });
  if (status !== 200 || session === undefined) throw new Error(`initialize: HTTP ${status} ${text.slice(0, 200)}`);
  options.counts.sessions++;
  await send(options, { session, body: { jsonrpc: '2.0', method: 'notifications/initialized' } });
  return session;
}

async function checkedCall(options: ClientOptions, session: string): Promise<void> {
  const { backends, counts, random, patience } = options;
  const backend = backends[Math.floor(random() * backends.length)] as string;
  const nonce = `${backend}:${randomUUID()}`;
  const id = randomUUID();
  const call = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: `${backend}__echo`, arguments: { text: nonce } } };
  counts.calls++;
  const answer = await send(options, { session, body: call }, patience);
  if (answer.late) return fail(counts, 'hangs', `no answer of ${backend} within ${patience} ms`);
  const message = lastMessage(answer.text);
  if (answer.status === 429) return count(counts, 'refused: HTTP 429');
  if (message?.id !== id) return fail(counts, 'wrong', `not the answer to the call: HTTP ${answer.status} ${answer.text.slice(0, 200)}`);
  const text = message.result?.content?.[0]?.text ?? message.error?.message ?? '';
  if (message.error || message.result?.isError) {
    const reason = message.result?._meta?.['dev.onemcp/error']?.reason ?? message.error?.data?.reason ?? 'unnamed';
    if (!text.includes(backend)) return fail(counts, 'wrong', `an error that does not name ${backend}: ${text.slice(0, 200)}`);
    return count(counts, `${kindOf(backend)}: ${reason}`);
  }
  if (text !== nonce) return fail(counts, 'wrong', `${backend} was asked for ${nonce}, the answer is ${text.slice(0, 100)}`);
  counts.answered++;
}

/** A call that the client takes back: it gets no answer to it, and the connection ends. */
async function cancelledCall(options: ClientOptions, session: string): Promise<void> {
  const { backends, counts, random, patience } = options;
  const backend = backends[Math.floor(random() * backends.length)] as string;
  const id = randomUUID();
  const body = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: `${backend}__slow`, arguments: { text: id, ms: 5_000 } } };
  const answering = send(options, { session, body }, patience);
  await sleep(50 + random() * 200);
  await send(options, { session, body: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: 'soak' } } });
  const { late } = await answering;
  if (late) fail(counts, 'hangs', `a cancelled call of ${backend} goes on`);
  else counts.cancelled++;
}

const kindOf = (backend: string): string => (backend.startsWith('odd') ? 'faulty' : 'healthy');

function count({ errors }: Counts, reason: string): void {
  errors.set(reason, (errors.get(reason) ?? 0) + 1);
}

function fail(counts: Counts, what: 'wrong' | 'hangs', example: string): void {
  counts[what]++;
  if (counts.examples.length < 10) counts.examples.push(example);
}

interface Message {
  readonly id?: unknown;
  readonly error?: { readonly message: string; readonly data?: { readonly reason?: string } };
  readonly result?: {
    readonly isError?: boolean;
    readonly content?: readonly { readonly text?: string }[];
    readonly _meta?: Readonly<Record<string, { readonly reason?: string }>>;
  };
}

/** The answer in JSON, or the last event of a stream. */
function lastMessage(text: string): Message | undefined {
  const json = text.startsWith('{')
    ? text
    : text
        .match(/^data: ?\{.*$/gm)
        ?.at(-1)
        ?.replace(/^data: ?/, '');
  return json === undefined ? undefined : (JSON.parse(json) as Message);
}

interface Sent {
  readonly method?: 'POST' | 'DELETE';
  readonly session?: string | undefined;
  readonly body?: object;
}

async function send({ url, dispatcher }: ClientOptions, { method = 'POST', session, body }: Sent, patience = 30_000) {
  const headers = { ...HEADERS, ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': VERSION }) };
  try {
    const signal = AbortSignal.timeout(patience);
    const answer = await request(url, { method, headers, dispatcher, signal, ...(body && { body: JSON.stringify(body) }) });
    const text = await answer.body.text();
    return { status: answer.statusCode, session: answer.headers['mcp-session-id'] as string | undefined, text, late: false };
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
    return { status: 0, session: undefined, text: '', late: true };
  }
}
