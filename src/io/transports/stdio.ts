import type { StdioBackendSpec } from '../../config/config.ts';
import { OnemcpError } from '../../errors.ts';
import { jsonDepthExceeds } from '../../json.ts';
import type { JsonRpcMessage, RequestId } from '../../world.ts';
import { answeredId } from '../answeredId.ts';
import type { IoDeps, LogLevel } from '../deps.ts';
import { createLineReader, type OversizeLine, printable } from '../lines.ts';
import { notSent } from '../notSent.ts';
import { createOutbox } from '../outbox.ts';
import { paceOf } from '../pace.ts';
import { type BackendProcess, type Loss, spawnProcess } from '../process.ts';
import type { BackendTransport } from './transport.ts';

/** A backend that is a program of ours: one JSON-RPC message a line on stdin and stdout. MCP basic/transports §stdio. */
export function openStdio(spec: StdioBackendSpec, deps: IoDeps): BackendTransport {
  const { name } = spec;
  const { limits } = deps;
  const maxDepth = limits['http.jsonDepth'];
  const queueBytes = limits['message.queueBytes'];
  const pace = paceOf(deps);
  const noise = createNoise(name, deps);
  let child: BackendProcess | undefined;
  let initialized = false;
  let closed = false;
  let lost: OnemcpError | undefined;

  const fail = (id: RequestId | undefined, error: OnemcpError, level: LogLevel = 'warn') => {
    if (closed) return;
    if (id !== undefined) transport.onfail?.(id, error);
    else if (pace.take(performance.now())) deps.log(level, 'backend.message_dropped', { backend: name, text: error.message });
  };
  /** A notification or an answer of ours that is lost hurts nobody but the backend. */
  const refuse = (id: RequestId | undefined, error: OnemcpError) => fail(id, notSent(error), 'debug');

  const skip = (text: string) => {
    pace.take(performance.now());
    noise(text);
  };

  const deliver = (value: unknown) => {
    if (!isMessage(value)) return typeof value === 'object' && value !== null ? skip(JSON.stringify(value)) : undefined;
    try {
      transport.onmessage?.(value);
    } catch (error) {
      deps.log('error', 'backend.message_failed', { backend: name, text: String(error) });
    }
  };

  const onLine = (text: string) => {
    if (closed || pace.isSurplus(text)) return;
    if (jsonDepthExceeds(text, maxDepth)) return fail(answeredId(text.slice(0, ENDS), text.slice(-ENDS)), tooDeep(name, maxDepth));
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return skip(text);
    }
    if (Array.isArray(value)) for (const item of value) deliver(item);
    else deliver(value);
  };

  const onOversize = ({ head, tail, bytes }: OversizeLine) => {
    fail(answeredId(head, tail), tooLarge(name, limits['message.maxBytes'], bytes));
  };

  const outbox = createOutbox({
    maxChars: queueBytes,
    drainMs: limits['message.drainTimeout'],
    write: (text) => child?.write(text),
    queued: () => child?.queued ?? 0,
    onDeaf() {
      void child?.kill();
      lose(deaf(name, limits['message.drainTimeout']));
    },
  });

  /** What has not left us yet can be told from what may have been executed. */
  const refuseUnsent = (error: OnemcpError) => {
    for (const id of outbox.take()) refuse(id, error);
  };

  const lose = (error: OnemcpError) => {
    if (closed || lost) return;
    lost = error;
    refuseUnsent(error);
    transport.onclose?.(error);
  };

  const onFatal = () => {
    void child?.kill();
    lose(endless(name, limits['message.fatalBytes']));
  };

  const reader = createLineReader({
    maxBytes: limits['message.maxBytes'],
    fatalBytes: limits['message.fatalBytes'],
    onLine,
    onBlank: () => void pace.take(performance.now()),
    onOversize,
    onFatal,
  });

  const onLost = (loss: Loss) => {
    reader.end();
    lose(lossError(name, loss, { initialized, lastWords: child?.lastWords, tail: child?.stderrTail }));
  };

  const onStdout = (chunk: Buffer): number => {
    const began = pace.begin();
    reader.push(chunk);
    return pace.restAfter(began);
  };

  const transport: BackendTransport = {
    onmessage: undefined,
    onfail: undefined,
    onclose: undefined,
    onreset: undefined,

    async start() {
      if (!closed) {
        child = spawnProcess(spec, deps, { onStdout, onLost, onWritten: outbox.written });
        await child.ready;
      }
      if (closed) throw new OnemcpError('cancelled', `the start of "${name}" was cancelled`, { server: name, reason: 'cancelled' });
    },

    send(message) {
      const request = message.method === undefined ? undefined : message.id;
      if (!child || lost || closed) return refuse(request, lost ?? notRunning(name));
      let line: string;
      try {
        line = `${JSON.stringify(message)}\n`;
      } catch (error) {
        return refuse(request, new OnemcpError('internal', `a message to "${name}" cannot be written as JSON`, { server: name }, error));
      }
      if (!outbox.add(line)) refuse(request, full(name, queueBytes));
    },

    forget() {},

    async close({ kill = false } = {}) {
      if (kill) refuseUnsent(lost ?? notRunning(name));
      else if (!closed) outbox.flush();
      closed = true;
      outbox.take();
      await (kill ? child?.kill() : child?.stop());
    },

    setProtocolVersion() {
      initialized = true;
    },

    pace,
    get pid() {
      return child?.pid;
    },
    get stderrTail() {
      return child?.stderrTail ?? '';
    },
  };
  return transport;
}

/** How much of either end of a message `answeredId` looks at. */
const ENDS = 4096;

/** JSON-RPC shaped: a log line that happens to be JSON must not pass for an answer. */
function isMessage(value: unknown): value is JsonRpcMessage {
  if (typeof value !== 'object' || value === null) return false;
  const { jsonrpc, method, id, result, error } = value as Record<string, unknown>;
  if (jsonrpc === '2.0') return typeof method === 'string' || id !== undefined;
  return id !== undefined && method === undefined && (result !== undefined || error !== undefined);
}

const NOISE_WINDOW_MS = 60_000;

/** Counts what a backend prints on stdout that is no message, and warns of it once a minute. */
function createNoise(backend: string, { log, redact }: IoDeps): (text: string) => void {
  let skipped = 0;
  let quietUntil = 0;
  return (text) => {
    skipped++;
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + NOISE_WINDOW_MS;
    // Cut only after redaction, or a secret cut in two would pass.
    log('warn', 'backend.stdout_noise', { backend, skipped, line: printable(redact(text.slice(0, ENDS), text.length > ENDS), 200) });
  };
}

const mebibytes = (bytes: number): string => (bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2} MiB` : `${bytes} bytes`);

const notRunning = (server: string) =>
  new OnemcpError('backend_unavailable', `"${server}" is not running`, { server, reason: 'not-running', retryable: true });

const deaf = (server: string, limitMs: number) =>
  new OnemcpError('unresponsive', `"${server}" does not read what is sent to it (message.drainTimeout)`, {
    server,
    reason: 'not-reading',
    retryable: true,
    limitMs,
  });

const full = (server: string, limitBytes: number) =>
  new OnemcpError('busy', `"${server}" does not read: ${mebibytes(limitBytes)} are waiting for it (message.queueBytes)`, {
    server,
    reason: 'not-reading',
    retryable: true,
  });

const tooLarge = (server: string, limitBytes: number, bytes: number) =>
  new OnemcpError('message_too_large', `an answer of "${server}" is larger than ${mebibytes(limitBytes)} (message.maxBytes)`, {
    server,
    reason: 'too-large',
    retryable: false,
    limitBytes,
    bytes,
  });

const tooDeep = (server: string, levels: number) =>
  new OnemcpError('invalid_response', `an answer of "${server}" is nested deeper than ${levels} levels (http.jsonDepth)`, {
    server,
    reason: 'too-deep',
    retryable: false,
  });

const endless = (server: string, limitBytes: number) =>
  new OnemcpError('message_too_large', `"${server}" wrote ${mebibytes(limitBytes)} without a line end (message.fatalBytes)`, {
    server,
    reason: 'endless-line',
    retryable: true,
  });

interface LastMoments {
  readonly initialized: boolean;
  readonly lastWords: string | undefined;
  /** Redacted. */
  readonly tail: string | undefined;
}

/** Why a process was lost, in one sentence with its last line of stderr; the tail goes along for operators, see `stderrOf`. */
function lossError(server: string, loss: Loss, { initialized, lastWords, tail }: LastMoments) {
  let text = `closed its ${loss.kind}`;
  if (loss.kind === 'exit') text = loss.signal ? `was killed by ${loss.signal}` : `exited with code ${loss.code}`;
  const when = initialized ? '' : ' before it was initialized';
  const message = `"${server}" ${text}${when}${lastWords ? `; its last line on stderr: ${lastWords}` : ''}`;
  const data = {
    server,
    reason: loss.kind === 'exit' ? 'exit' : `${loss.kind}-closed`,
    retryable: true,
    ...(loss.kind === 'exit' && loss.code !== null && { exitCode: loss.code }),
    ...(loss.kind === 'exit' && loss.signal !== null && { signal: loss.signal }),
  };
  return new OnemcpError('backend_exited', message, data, tail ? { stderr: lastLines(tail) } : undefined);
}

/** What of a tail an error may hold on to. */
const TAIL_LINES = 20;
const TAIL_CHARACTERS = 8 * 1024;

const lastLines = (tail: string): string => tail.trimEnd().split('\n').slice(-TAIL_LINES).join('\n').slice(-TAIL_CHARACTERS);
