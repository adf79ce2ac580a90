import { OnemcpError } from '../errors.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';
import { batchFlaw, takeBatch } from './batch.ts';
import { type BadMessage, type MessageBatch, type OneMessage, parseMessage } from './message.ts';
import { createSession, errorText, responseText, type Session, type SessionPorts } from './session.ts';

/** A client on a channel of its own, such as stdio: the channel is the session. */
export interface Connection {
  /** Undefined before `initialize`. */
  readonly session: Session | undefined;
  /** One text from the client. */
  receive(text: string): void;
  /** The same, parsed. */
  take(parsed: OneMessage | MessageBatch | BadMessage): void;
  close(): void;
}

/** @param write sends one text, as JSON without line breaks, to the client; false if nobody reads it any more */
export function createConnection(ports: Omit<SessionPorts, 'send'>, write: (text: string) => boolean): Connection {
  const { limits } = ports.context;
  let session: Session | undefined;
  const send = (message: JsonRpcMessage) => write(JSON.stringify(message));
  const refuse = (id: RequestId | null, reason: string) => write(errorText(id, new OnemcpError('invalid_request', reason)));

  const initialize = (message: JsonRpcMessage, id: RequestId) => {
    if (session) return refuse(id, 'this session is initialised already');
    const created = createSession(message, { ...ports, send });
    session = created.session;
    write(responseText(id, created.opening));
  };

  const request = async (message: JsonRpcMessage, id: RequestId) => {
    if (!session) {
      // MCP basic/lifecycle: a ping may come before `initialize`.
      return message.method === 'ping' ? write(responseText(id, {})) : refuse(id, 'the first request must be initialize');
    }
    const text = await session.request(message, send);
    if (text !== undefined) write(text);
  };

  const one = (message: JsonRpcMessage) => {
    const { id, method } = message;
    if (method === undefined) session?.response(message);
    else if (id === undefined) session?.notification(message);
    else if (method === 'initialize') initialize(message, id);
    else void request(message, id);
  };

  const batch = (elements: readonly unknown[]) => {
    if (!session) return refuse(null, 'the first request must be initialize, and not in a batch');
    const flaw = batchFlaw(elements, session, limits['session.maxInFlight']);
    if (flaw) return write(errorText(null, flaw));
    takeBatch(elements, session, (responses) => ({ send, answer: gather(responses, write) }), ports.onBug);
  };

  const take: Connection['take'] = (parsed) => {
    if (parsed.kind === 'one') one(parsed.message);
    else if (parsed.kind === 'batch') batch(parsed.elements);
    else write(errorText(parsed.id, parsed.error));
  };

  return {
    get session() {
      return session;
    },
    receive: (text) => take(parseMessage(text, limits['http.jsonDepth'])),
    take,
    close: () => session?.close(),
  };
}

/** Writes the responses to a batch as one array, when all are there. */
function gather(expected: number, write: (text: string) => boolean): (text: string | undefined) => void {
  const texts: string[] = [];
  let left = expected;
  return (text) => {
    if (text !== undefined) texts.push(text);
    if (--left === 0 && texts.length > 0) write(`[${texts.join(',')}]`);
  };
}
