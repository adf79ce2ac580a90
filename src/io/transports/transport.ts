import type { OnemcpError } from '../../errors.ts';
import type { JsonRpcMessage, RequestId } from '../../world.ts';
import type { Pace } from '../pace.ts';

/**
 * One connection to a backend that carries whole JSON-RPC messages.
 *
 * Close to the SDK's `Transport`, with three differences that a gateway needs: `send` returns nothing (a promise for
 * each message costs more than the message), a failure names the request it belongs to (`onfail`), and a received
 * message says which request's stream it arrived on (`origin`).
 */
export interface BackendTransport {
  /** Spawns or connects. Rejects with an OnemcpError (`spawn_failed`, `connection_failed`, …). */
  start(): Promise<void>;
  /** Never throws: a failed request is reported with `onfail(id)`, a lost connection with `onclose`. */
  send(message: JsonRpcMessage): void;
  /**
   * The request no longer interests anybody: an HTTP transport aborts its exchange, if `stream` is still open.
   * A no-op for stdio.
   */
  forget(id: RequestId): void;
  /**
   * Ends the connection and everything behind it; with `kill`, without the time to end by itself, even where it had been
   * given that before. Resolves when nothing is left; never rejects; idempotent.
   */
  close(options?: { readonly kill?: boolean }): Promise<void>;
  /** Called once with the version `initialize` negotiated. */
  setProtocolVersion(version: string): void;

  /** `origin`: id of our request on whose response stream the message arrived, where the transport knows it. */
  onmessage: ((message: JsonRpcMessage, origin?: RequestId) => void) | undefined;
  /**
   * The answer of request `id` will not come (too large, HTTP error, broken stream); the connection lives on. See
   * `notSent` for requests that were not even written.
   */
  onfail: ((id: RequestId, error: OnemcpError) => void) | undefined;
  /** The connection is gone, for this reason. Called at most once, and not after `close()` was called. */
  onclose: ((error: OnemcpError) => void) | undefined;
  /** A lost session was replaced by a new one: the backend has forgotten everything. */
  onreset: (() => void) | undefined;

  /** The budget for what the backend says unasked; beyond it, the transport reads more slowly. */
  readonly pace: Pace;
  readonly pid: number | undefined;
  readonly stderrTail: string;
}
