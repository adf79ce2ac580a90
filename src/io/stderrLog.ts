import type { Readable } from 'node:stream';
import type { IoDeps } from './deps.ts';
import { createLineReader, printable } from './lines.ts';

const FLOOD_BYTES = 1024 * 1024;
const FLOOD_WINDOW_MS = 100;

/** Reads at most `FLOOD_BYTES` in each window, so that a program which floods stderr waits instead of eating our CPU. */
export function throttled(stream: Readable, push: (chunk: Buffer) => void): (chunk: Buffer) => void {
  let windowStart = 0;
  let bytes = 0;
  return (chunk) => {
    push(chunk);
    const now = performance.now();
    if (now - windowStart > FLOOD_WINDOW_MS) {
      windowStart = now;
      bytes = 0;
    }
    bytes += chunk.length;
    if (bytes < FLOOD_BYTES) return;
    stream.pause();
    setTimeout(() => stream.resume(), FLOOD_WINDOW_MS).unref();
  };
}

const LINE_BYTES = 8 * 1024;
const LINES_PER_WINDOW = 20;
const WINDOW_MS = 10_000;
/** Cut from the kept part of a long line as well: what is there was cut itself, and is not always known for what it is. */
const SEAM = 512;
/** Lines that end a stack trace of Node or close a block: they say nothing. */
const SPEECHLESS = /^\s*(at .*|Node\.js v\S+|[{}[\]()^~,;\s]*)$/;

/** Logs the lines of stderr within a budget and keeps its tail, redacted line by line. */
export function createStderrLog(backend: string, { limits, log, redact, keepStderr }: IoDeps) {
  const ringBytes = limits['stderr.ringBytes'];
  let lines: string[] = [];
  let size = 0;
  let logged = 0;
  let suppressed = 0;
  let window: NodeJS.Timeout | undefined;

  const trim = () => {
    let drop = 0;
    while (size > ringBytes && drop < lines.length - 1) size -= (lines[drop++] as string).length + 1;
    lines = lines.slice(drop);
  };
  const report = () => {
    if (suppressed > 0) log('info', 'backend.stderr', { backend, suppressed, line: `${suppressed} lines suppressed` });
    clearTimeout(window);
    window = undefined;
    logged = suppressed = 0;
  };
  const onLine = (line: string) => {
    keepStderr?.(backend, line);
    lines.push(line);
    size += line.length + 1;
    if (size > 2 * ringBytes) trim();
    window ??= setTimeout(report, WINDOW_MS).unref();
    if (++logged <= LINES_PER_WINDOW) log('info', 'backend.stderr', { backend, line: redact(line) });
    else suppressed++;
  };
  const reader = createLineReader({
    maxBytes: Math.min(LINE_BYTES, ringBytes),
    onLine,
    onOversize: ({ head, bytes }) => onLine(`${redact(head, true).slice(0, -SEAM)}… (${bytes} bytes)`),
  });

  return {
    push: reader.push,
    end: () => {
      reader.end();
      report();
    },
    tail: () => {
      trim();
      return redact(lines.join('\n'));
    },
    lastWords: () => {
      const line = lines.findLast((candidate) => !SPEECHLESS.test(candidate));
      return line === undefined ? undefined : printable(redact(line).trim(), 300);
    },
  };
}
