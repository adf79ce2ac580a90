import { OnemcpError } from '../errors.ts';
import type { JsonRpcMessage } from '../world.ts';
import type { Send } from './client.ts';
import { checkMessage } from './message.ts';
import { errorText, type Session } from './session.ts';

/** Where the responses to a batch go. */
export interface BatchAnswers {
  /** What belongs to one of the requests. */
  readonly send: Send;
  /** Called once for each expected response, in the order of completion; undefined for a request that was cancelled. */
  readonly answer: (text: string | undefined) => void;
}

/** The only version with batches: they came with it and went with the next. */
const VERSION = '2025-03-26';

/** Why a session takes no such batch; undefined if it does. */
export function batchFlaw(elements: readonly unknown[], { protocolVersion }: Session, most: number): OnemcpError | undefined {
  if (protocolVersion !== VERSION) {
    return new OnemcpError('invalid_request', 'JSON-RPC batches are not accepted in this session; send one message at a time');
  }
  if (elements.length > most) {
    return new OnemcpError('invalid_request', `a batch has at most ${most} messages, the limit of session.maxInFlight`);
  }
  return undefined;
}

/**
 * Gives the messages of a batch to the session in their order. JSON-RPC 2.0 §6, MCP 2025-03-26 basic §Batching.
 *
 * @param begin is told how many responses there will be, none for notifications and responses only
 */
export function takeBatch(
  elements: readonly unknown[],
  session: Session,
  begin: (responses: number) => BatchAnswers,
  onBug: (error: unknown) => void,
): void {
  const parts = elements.map(partOf);
  const { send, answer } = begin(parts.filter((part) => typeof part === 'string' || isRequest(part)).length);
  for (const part of parts) {
    if (typeof part === 'string') answer(part);
    else if (isRequest(part)) session.request(part, send).then(answer).catch(onBug);
    else if (part.method === undefined) session.response(part);
    else session.notification(part);
  }
}

/** Whether an element of a batch wants an answer. */
export const isRequest = (element: unknown): boolean => {
  const { id, method } = (element ?? {}) as JsonRpcMessage;
  return id !== undefined && method !== undefined;
};

/** A message, or the error that answers what is none. */
function partOf(element: unknown): JsonRpcMessage | string {
  const checked = checkMessage(element);
  if (checked.kind === 'bad') return errorText(checked.id, checked.error);
  const { message } = checked;
  if (message.method !== 'initialize') return message;
  return errorText(message.id ?? null, new OnemcpError('invalid_request', 'initialize must not be part of a batch'));
}
