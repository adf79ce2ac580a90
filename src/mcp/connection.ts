import { OnemcpError } from '../errors.ts';
import type { JsonRpcMessage, RequestId } from '../world.ts';
import { parseMessage } from './message.ts';
import { createSession, errorText, responseText, type Session, type SessionPorts } from './session.ts';

/** A client on a channel of its own, such as stdio: the channel is the session. */
export interface Connection {
  /** Undefined before `initialize`. */
  readonly session: Session | undefined;
  /** One message from the client. */
  receive(text: string): void;
  close(): void;
}

/** @param write sends one message, as JSON without line breaks, to the client */
export function createConnection(ports: Omit<SessionPorts, 'send'>, write: (text: string) => void): Connection {
  let session: Session | undefined;

  const initialize = (message: JsonRpcMessage, id: RequestId) => {
    if (session) return write(errorText(id, new OnemcpError('invalid_request', 'this session is initialised already')));
    const created = createSession(message, { ...ports, send: (notification) => write(JSON.stringify(notification)) });
    session = created.session;
    write(responseText(id, created.opening));
  };

  const request = async (message: JsonRpcMessage, id: RequestId) => {
    if (!session) {
      // MCP basic/lifecycle: a ping may come before `initialize`.
      return write(
        message.method === 'ping'
          ? responseText(id, {})
          : errorText(id, new OnemcpError('invalid_request', 'the first request must be initialize')),
      );
    }
    const text = await session.request(message, (notification) => write(JSON.stringify(notification)));
    if (text !== undefined) write(text);
  };

  return {
    get session() {
      return session;
    },
    receive(text) {
      const parsed = parseMessage(text, ports.context.limits['http.jsonDepth']);
      if (!parsed.ok) return write(errorText(parsed.id, parsed.error));
      const { message } = parsed;
      if (message.method === undefined) return;
      if (message.id === undefined) session?.notification(message);
      else if (message.method === 'initialize') initialize(message, message.id);
      else void request(message, message.id);
    },
    close: () => session?.close(),
  };
}
