import { ERROR_CODES, type ErrorCode, OnemcpError, WireError } from '../errors.ts';

/** What became of a call. `tool_error`: the tool itself says that it failed; `error`: the client got an error instead of an answer. */
export const OUTCOMES = ['ok', 'tool_error', 'error', 'cancelled'] as const;

/** Requests that are relayed; those of extensions under one word, since their names are not ours. */
export const COUNTED_METHODS = [
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'completion/complete',
  'extension',
] as const;

/** Why calls fail: our own codes, and `rpc` for an error that the backend answered with. */
export const CALL_ERRORS: readonly (ErrorCode | 'rpc')[] = [...ERROR_CODES, 'rpc'];

/** Upper bounds of the histogram of durations, milliseconds, each included; what is longer is beyond all of them. */
export const DURATIONS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000] as const;

const OK = 0;
const TOOL_ERROR = 1;
const ERROR = 2;
const CANCELLED = 3;

/** Where a method is counted; one that is not listed belongs to an extension. */
export function methodIndex(method: string): number {
  const index = (COUNTED_METHODS as readonly string[]).indexOf(method);
  return index < 0 ? COUNTED_METHODS.length - 1 : index;
}

/**
 * Counts the calls to one backend: additions to arrays that are there already, so that a call makes nothing. Each call is
 * counted once, when it is over.
 */
export class CallStats {
  /** By method, then by outcome: `method * OUTCOMES.length + outcome`. */
  readonly calls: number[] = new Array(COUNTED_METHODS.length * OUTCOMES.length).fill(0);
  /** In the order of `CALL_ERRORS`; together as many as there are calls with the outcome `error`. */
  readonly errors: number[] = new Array(CALL_ERRORS.length).fill(0);
  /** Calls by duration: one more than there are bounds. */
  readonly durations: number[] = new Array(DURATIONS.length + 1).fill(0);
  /** Milliseconds of all calls together. */
  total = 0;
  /** Requests that were made once more. */
  repeats = 0;

  /** @param ms from the arrival of the call to its end */
  answered(method: number, ms: number, isError: boolean): void {
    this.#add(method, isError ? TOOL_ERROR : OK, ms);
  }

  /** A call without an answer of its backend; `error` is undefined if its client got a good answer all the same. */
  failed(method: number, ms: number, error: unknown): void {
    if (error === undefined) return this.#add(method, OK, ms);
    const code = codeOf(error);
    if (code === 'cancelled') return this.#add(method, CANCELLED, ms);
    bump(this.errors, CALL_ERRORS.indexOf(code));
    this.#add(method, ERROR, ms);
  }

  #add(method: number, outcome: number, ms: number): void {
    bump(this.calls, method * OUTCOMES.length + outcome);
    let slot = 0;
    while (slot < DURATIONS.length && ms > (DURATIONS[slot] as number)) slot++;
    bump(this.durations, slot);
    this.total += ms;
  }
}

function bump(counts: number[], index: number): void {
  counts[index] = (counts[index] as number) + 1;
}

function codeOf(error: unknown): ErrorCode | 'rpc' {
  if (error instanceof OnemcpError) return error.code;
  return error instanceof WireError ? 'rpc' : 'internal';
}
