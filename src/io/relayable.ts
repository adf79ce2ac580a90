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
    const { code, data } = given;
    const message = typeof given.message === 'string' ? given.message : `"${name}" answered with an error that is none of JSON-RPC`;
    const safe = { code: Number.isInteger(code) ? (code as number) : -32603, message: clean(message) };
    const safeData = withoutSecrets(data, redact);
    if (safe.code === code && safe.message === given.message && safeData === data) return given as unknown as RelayedError;
    return { ...given, ...safe, ...(data !== undefined && { data: safeData }) };
  };
}

/** The same value, if there is no secret in it. */
function withoutSecrets(value: unknown, redact: (text: string) => string): unknown {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value);
  const clean = redact(text);
  return clean === text ? value : JSON.parse(clean);
}
