/** One GET to an API that tells of changes: an answer as a whole, or one that goes on and on, line by line. */
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { createLineReader } from '../lines.ts';

export interface Ask {
  /** With `socketPath` its host is only the `Host` header. */
  readonly url: URL;
  readonly socketPath?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM; default: the authorities that Node.js knows. */
  readonly ca?: string | undefined;
  readonly signal: AbortSignal;
  /** Milliseconds: for a whole answer, or until the first line of the headers of a stream. */
  readonly timeout: number;
  /** Longest answer, or longest line of a stream. */
  readonly maxBytes: number;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface LineHandlers {
  readonly onLine: (line: string) => void;
  /** A line was thrown away because of its length. */
  readonly onOversize: () => void;
  /** Milliseconds without a byte after which the stream is given up; default: never. */
  readonly silence?: number;
}

export interface Lines {
  readonly status: number;
  /** Resolves when the stream is over, for whatever reason. Its last line counts only with its line end. */
  readonly over: Promise<void>;
}

/** An unending line is given up after as many times the length of the longest line. */
const FATAL_TIMES = 8;
/** So that a peer that went without a word is noticed. */
const KEEP_ALIVE_MS = 30_000;

/** @throws Error with Node's `code` when there is no answer, or one that is too late, broken off or too large */
export async function askWhole(ask: Ask): Promise<Answer> {
  return within(ask, async (ends) => wholeOf(await sent(ask, ends), ask.maxBytes));
}

/** A status other than 200 is an answer as a whole. @throws Error as `askWhole` does, until the stream begins */
export async function askLines(ask: Ask, handlers: LineHandlers): Promise<Answer | Lines> {
  return within(ask, async (ends) => {
    const answer = await sent(ask, ends);
    if (answer.statusCode !== 200) return wholeOf(answer, ask.maxBytes);
    // An open stream is no reason for a process to go on.
    answer.socket.unref();
    return { status: 200, over: lines(answer, ask, handlers) };
  });
}

export const isStream = (answer: Answer | Lines): answer is Lines => 'over' in answer;

/** `step` is given how to say what ends it when its time is over. */
async function within<T>({ timeout }: Ask, step: (ends: (end: () => void) => void) => Promise<T>): Promise<T> {
  let end = () => {};
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, timeout);
  try {
    return await step((action) => {
      end = action;
    });
  } catch (error) {
    // Whatever came of its end.
    throw late ? new Error(`no answer within ${timeout / 1000} s`) : error;
  } finally {
    clearTimeout(timer);
  }
}

function sent(ask: Ask, ends: (end: () => void) => void): Promise<IncomingMessage> {
  const { url, socketPath, headers, ca, signal } = ask;
  return new Promise((resolve, reject) => {
    const options = {
      agent: false as const,
      headers: { accept: 'application/json', ...headers },
      signal,
      ...(socketPath !== undefined && { socketPath }),
      ...(ca !== undefined && { ca }),
    };
    const request = url.protocol === 'https:' ? secureRequest(url, options) : plainRequest(url, options);
    ends(() => request.destroy(new Error('late')));
    // It stays: an error after the answer has begun is told by the answer, too.
    request.on('error', reject);
    request.once('response', resolve);
    request.setSocketKeepAlive(true, KEEP_ALIVE_MS);
    request.end();
  });
}

async function wholeOf(answer: IncomingMessage, maxBytes: number): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop destroys the rest.
    if (length > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  if (!answer.complete) throw new Error('the answer broke off');
  return { status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}

function lines(answer: IncomingMessage, { maxBytes, signal }: Ask, { onLine, onOversize, silence }: LineHandlers): Promise<void> {
  const live =
    <A extends unknown[]>(action: (...args: A) => void) =>
    (...args: A) => {
      if (!signal.aborted) action(...args);
    };
  const reader = createLineReader({
    maxBytes,
    fatalBytes: FATAL_TIMES * maxBytes,
    onLine: live(onLine),
    onOversize: live(() => onOversize()),
    onFatal: () => {
      live(onOversize)();
      answer.destroy();
    },
  });
  const quiet = silence === undefined ? undefined : setTimeout(() => answer.destroy(), silence).unref();
  return new Promise((resolve) => {
    answer.on('data', (chunk: Buffer) => {
      quiet?.refresh();
      reader.push(chunk);
    });
    answer.on('error', () => {});
    answer.once('close', () => {
      clearTimeout(quiet);
      resolve();
    });
  });
}
