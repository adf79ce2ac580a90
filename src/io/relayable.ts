import { mapTexts } from '../json.ts';
import type { Json } from '../world.ts';
import { visibleControls } from './lines.ts';

/** An error as it goes to a client. JSON-RPC 2.0 §5.1. */
export interface RelayedError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface RelayableOptions {
  /** Name of the backend. */
  readonly name: string;
  /** Takes secrets out of what the backend says. */
  readonly redact?: (text: string) => string;
}

/**
 * An error of a backend as it may be relayed: an error object of JSON-RPC, whatever came in its place; without our secrets,
 * and without control characters that a terminal would act on in its text. An ordinary one is relayed as the object it is.
 */
export function createRelayable({ name, redact = (text) => text }: RelayableOptions): (error: unknown) => RelayedError {
  const clean = (text: string) => visibleControls(redact(text));
  return (error) => {
    const given = (typeof error === 'object' && error !== null ? error : { message: error }) as Json;
    const { code } = given;
    const message = typeof given.message === 'string' ? given.message : `"${name}" answered with an error that is none of JSON-RPC`;
    const safe = { code: Number.isInteger(code) ? (code as number) : -32603, message: clean(message) };
    const json = JSON.stringify(given);
    // Near free for what holds none.
    const rest = redact(json) === json ? given : (mapTexts(given, redact) as Json);
    if (safe.code === code && safe.message === given.message && rest === given) return given as unknown as RelayedError;
    return { ...rest, ...safe };
  };
}
