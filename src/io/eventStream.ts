import { ByteBuffer } from './byteBuffer.ts';

/** What an event stream says. */
export interface EventStreamHandlers {
  /**
   * One event with an `id` or `data` field. `data` is empty for an event that only sets the id (MCP's priming event);
   * `event` is `message` unless the stream names another type.
   */
  onevent(data: string, id: string | undefined, event: string): void;
  /** The reconnection time the server asks for, milliseconds. */
  onretry?(ms: number): void;
  /** An event grew beyond the limit; the parser ignores everything from here on. */
  onoverflow(): void;
}

export interface EventStream {
  push(chunk: Buffer | string): void;
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const LONGEST_FIELD = 'event'.length;

/**
 * Incremental parser of `text/event-stream`, linear in the bytes pushed. An event that is not finished when the stream
 * ends is dropped. HTML Living Standard §9.2.6.
 *
 * @param maxBytes longest event; comments do not count.
 */
export function createEventStream(maxBytes: number, handlers: EventStreamHandlers): EventStream {
  const partial = new ByteBuffer();
  let dead = false;
  let first = true;
  /** The last chunk ended with CR: an LF at the start of the next one belongs to it. */
  let afterCr = false;
  let data: string | undefined;
  let id: string | undefined;
  let event = 'message';
  let size = 0;

  const overflow = () => {
    dead = true;
    partial.take();
    data = undefined;
    handlers.onoverflow();
  };

  const finishEvent = () => {
    const [finishedData, finishedId, finishedEvent] = [data, id, event];
    data = undefined;
    id = undefined;
    event = 'message';
    size = 0;
    if (finishedData !== undefined || finishedId !== undefined) handlers.onevent(finishedData ?? '', finishedId, finishedEvent);
  };

  const field = (bytes: Buffer, start: number, end: number) => {
    let colon = start;
    while (colon < end && colon <= start + LONGEST_FIELD && bytes[colon] !== COLON) colon++;
    if (colon === start || colon > start + LONGEST_FIELD) return;
    const name = bytes.toString('latin1', start, colon);
    const from = bytes[colon + 1] === SPACE ? colon + 2 : colon + 1;
    const value = from < end ? bytes.toString('utf8', from, end) : '';
    if (name === 'retry') {
      if (/^\d{1,9}$/.test(value)) handlers.onretry?.(Number(value));
      return;
    }
    size += end - start + 1;
    if (size > maxBytes) overflow();
    else if (name === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (name === 'id') id = value.includes('\0') ? id : value;
    else if (name === 'event') event = value || 'message';
  };

  const line = (chunk: Buffer, from: number, to: number) => {
    let bytes = chunk;
    let start = from;
    let end = to;
    if (partial.length > 0) {
      partial.push(chunk.subarray(from, to));
      bytes = partial.take();
      start = 0;
      end = bytes.length;
    }
    if (first) {
      first = false;
      if (bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) start += 3;
    }
    if (start >= end) finishEvent();
    else field(bytes, start, end);
  };

  return {
    push(chunk) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (dead || bytes.length === 0) return;
      let start = afterCr && bytes[0] === LF ? 1 : 0;
      afterCr = false;
      let lf = bytes.indexOf(LF, start);
      let cr = bytes.indexOf(CR, start);
      while (lf !== -1 || cr !== -1) {
        const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
        line(bytes, start, end);
        if (dead) return;
        start = end + 1;
        if (end === cr) {
          if (start === bytes.length) afterCr = true;
          else if (bytes[start] === LF) start++;
        }
        if (lf !== -1 && lf < start) lf = bytes.indexOf(LF, start);
        if (cr !== -1 && cr < start) cr = bytes.indexOf(CR, start);
      }
      if (start === bytes.length) return;
      partial.push(start === 0 ? bytes : bytes.subarray(start));
      if (partial.length + size > maxBytes) overflow();
    },
  };
}
