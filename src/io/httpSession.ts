import { OnemcpError } from '../errors.ts';
import type { Json, JsonRpcMessage } from '../world.ts';
import type { HttpClient } from './httpClient.ts';
import type { HttpFailure } from './httpErrors.ts';

const DELETE_MS = 2_000;
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;

/** What the header of a session id may contain. MCP basic/transports §Session Management. */
export const isSessionId = (given: unknown): given is string => typeof given === 'string' && SESSION_ID.test(given);

/** What must be the same in a new session for the layer above to go on as if nothing had happened. */
export function handshakeOf(answer: JsonRpcMessage): Json {
  const { protocolVersion, capabilities } = (answer.result ?? {}) as Json;
  return { protocolVersion, capabilities };
}

/** An outcome is a failure, and not the message that answers. */
export const isFailure = (outcome: JsonRpcMessage | HttpFailure): outcome is HttpFailure => outcome.error instanceof OnemcpError;

/**
 * Whether the server does not know the session a request was sent in. 404 is what the specification asks for. Servers
 * built after the SDK's examples answer 400 and an error without an id; like the 404 it comes before any execution.
 */
export function isSessionLoss({ status, rpc }: HttpFailure): boolean {
  if (status === 404) return rpc?.error?.code !== -32601;
  return status === 400 && rpc?.error !== undefined && rpc.id == null && /session/i.test(rpc.error.message);
}

/** MCP basic/transports §Session Management: a client that leaves SHOULD say so. Best effort. */
export function endSession(client: HttpClient, headers: Readonly<Record<string, string | undefined>>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, DELETE_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    client.send(
      { method: 'DELETE', headers: client.headers(headers) },
      {
        onhead: () => {
          done();
          return false;
        },
        ondata: () => false,
        onend: done,
        onfail: done,
      },
    );
  });
}
