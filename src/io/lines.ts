/** What is known of a line that was thrown away because of its length. */
export interface OversizeLine {
  /** Its first and last 4 KiB. */
  readonly head: string;
  readonly tail: string;
  /** Its length without the line end. */
  readonly bytes: number;
}

export interface LineReaderOptions {
  /** Longest line that is delivered; a longer one is discarded while it streams. */
  readonly maxBytes: number;
  /** Length of one line after which reading is given up; default: never. */
  readonly fatalBytes?: number;
  /** A line without its end (LF or CRLF). Empty lines are not delivered. */
  readonly onLine: (text: string) => void;
  /** An empty line: there may be a flood of them. */
  readonly onBlank?: () => void;
  /** Once for each line over `maxBytes`, when it ends: a sender may put the id of an answer last (the MCP SDK does). */
  readonly onOversize: (line: OversizeLine) => void;
  /** At most once; nothing is delivered after it. */
  readonly onFatal?: () => void;
}

export interface LineReader {
  push(chunk: Buffer): void;
  /** The stream is over: an unfinished line counts as a line. */
  end(): void;
}

const EMPTY = Buffer.alloc(0);
const KEPT = 4096;
const SPARE = 64 * 1024;
const SPARE_FOR = 1_000;
const LF = 0x0a;
const CR = 0x0d;
const BOM = 0xfeff;

/**
 * Splits a byte stream into lines of UTF-8 text in O(n), with bounded memory: at most twice `maxBytes` whatever the size
 * of the chunks. Bytes that are not UTF-8 become U+FFFD; a byte order mark at the start of the stream is dropped.
 */
export function createLineReader(options: LineReaderOptions): LineReader {
  const { maxBytes, fatalBytes = Infinity, onLine, onBlank, onOversize, onFatal } = options;
  /** The unfinished line, in a buffer that doubles: a list of chunks would cost an object for each byte a slow sender writes. */
  let held: Buffer = EMPTY;
  let length = 0;
  let excess: Excess | undefined;
  let started = false;
  let dead = false;
  let keeping = false;

  const deliver = (bytes: Buffer, from: number, to: number) => {
    const end = to > from && bytes[to - 1] === CR ? to - 1 : to;
    if (end === from) {
      started = true;
      return onBlank?.();
    }
    let text = bytes.toString('utf8', from, end);
    if (!started) {
      started = true;
      if (text.charCodeAt(0) === BOM) text = text.slice(1);
    }
    if (text !== '') onLine(text);
  };

  const keep = (chunk: Buffer, from: number, to: number) => {
    const total = (excess ? excess.bytes : length) + to - from;
    if (excess === undefined && total > maxBytes) {
      excess = createExcess(held.subarray(0, length));
      held = EMPTY;
      length = 0;
    }
    if (excess) {
      excess.add(chunk, from, to);
    } else {
      if (total > held.length) held = grown(held, length, Math.min(Math.max(total, 2 * held.length, 1024), maxBytes));
      chunk.copy(held, length, from, to);
      length = total;
    }
    if (total > fatalBytes) {
      dead = true;
      held = EMPTY;
      excess = undefined;
      onFatal?.();
    }
  };

  /** A long line is seldom alone, so its buffer is kept for a moment: growing one for each costs three times its length. */
  const keepForAMoment = () => {
    if (keeping) return;
    keeping = true;
    const letGo = () => {
      keeping = false;
      if (length === 0) held = EMPTY;
      else keepForAMoment();
    };
    setTimeout(letGo, SPARE_FOR).unref();
  };

  const finish = () => {
    if (excess) {
      const line = excess.end();
      excess = undefined;
      started = true;
      onOversize(line);
      return;
    }
    const bytes = held;
    const size = length;
    length = 0;
    if (held.length > SPARE) keepForAMoment();
    deliver(bytes, 0, size);
  };

  return {
    push(chunk) {
      let from = 0;
      for (let to = chunk.indexOf(LF); to !== -1 && !dead; to = chunk.indexOf(LF, from)) {
        if (length === 0 && excess === undefined && to - from <= maxBytes) {
          deliver(chunk, from, to);
        } else {
          keep(chunk, from, to);
          if (!dead) finish();
        }
        from = to + 1;
      }
      if (from < chunk.length && !dead) keep(chunk, from, chunk.length);
    },
    end() {
      if (!dead && (length > 0 || excess)) finish();
      dead = true;
      held = EMPTY;
    },
  };
}

function grown(held: Buffer, length: number, capacity: number): Buffer {
  const bigger = Buffer.allocUnsafe(capacity);
  held.copy(bigger, 0, 0, length);
  return bigger;
}

interface Excess {
  readonly bytes: number;
  add(chunk: Buffer, from: number, to: number): void;
  end(): OversizeLine;
}

/** Counts a line that is too long and remembers both its ends. */
function createExcess(begun: Buffer): Excess {
  const head = Buffer.allocUnsafe(KEPT);
  const tail = Buffer.allocUnsafe(2 * KEPT);
  let headLength = 0;
  let tailLength = 0;
  let bytes = 0;

  const add = (chunk: Buffer, from: number, to: number) => {
    bytes += to - from;
    if (headLength < KEPT) headLength += chunk.copy(head, headLength, from, to);
    const start = Math.max(from, to - KEPT);
    if (tailLength + to - start > tail.length) {
      tail.copyWithin(0, tailLength - KEPT, tailLength);
      tailLength = KEPT;
    }
    tailLength += chunk.copy(tail, tailLength, start, to);
  };

  add(begun, 0, begun.length);
  return {
    get bytes() {
      return bytes;
    },
    add,
    end: () => ({
      head: head.toString('utf8', 0, headLength),
      tail: tail.toString('utf8', Math.max(0, tailLength - KEPT), tailLength),
      bytes,
    }),
  };
}

/** A text on one line that no terminal acts on: control, format (bidi, zero width) and separator characters are escaped. */
export function printable(text: string, maxLength: number): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}

const FOREIGN_CHARS = 4096;

/**
 * Control characters that a terminal would act on, and those that turn the reading direction round, become visible; line
 * feeds and tabs stay.
 */
export function visibleControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** What a backend says, as it may be shown in logs, health and errors: without secrets, on one line, not long. */
export const shown =
  (redact: (text: string) => string) =>
  (text: string): string =>
    printable(redact(text), FOREIGN_CHARS);
