import type { RequestId } from '../world.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b;
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d;

const KEY = /\s*"((?:[^"\\]|\\.)*)"\s*:\s*/y;
const LAST_ID = /^"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.)*")\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/**
 * Id of the request that a response answers of which only both ends are known. Undefined for requests, notifications,
 * batches and whatever is in doubt: no other call may fail in its place.
 */
export function answeredId(head: string, tail: string): RequestId | undefined {
  const open = /^\s*\{/.exec(head);
  if (!open) return undefined;
  let id: RequestId | undefined;
  for (let at = open[0].length; ; ) {
    KEY.lastIndex = at;
    const key = KEY.exec(head);
    if (!key || key[1] === 'method' || key[1] === 'params') return undefined;
    if (key[1] === 'result' || key[1] === 'error') break;
    const start = at + key[0].length;
    const end = valueEnd(head, start);
    if (end === -1 || isClosing(head.charCodeAt(end))) return undefined;
    if (key[1] === 'id') id = requestId(head.slice(start, end));
    at = end + 1;
  }
  if (id !== undefined) return id;
  // The last closing brace is that of the message, so an id right before it is the message's own.
  const last = LAST_ID.exec(tail.slice(Math.max(0, tail.lastIndexOf('"id"'))));
  return last?.[1] === undefined ? undefined : requestId(last[1]);
}

function requestId(json: string): RequestId | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' || typeof value === 'number' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Index of the quote that ends the string which starts at `start`; -1 when there is none. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

/** Index after the value that starts at `start`; -1 when the text ends first. */
function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = stringEnd(text, i);
      if (i === -1) return -1;
    } else if (isOpening(code)) depth++;
    else if (depth === 0 && (code === 0x2c || isClosing(code))) return i;
    else if (isClosing(code)) depth--;
  }
  return -1;
}
