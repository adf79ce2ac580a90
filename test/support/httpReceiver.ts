import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface Message {
  readonly request: IncomingMessage;
  readonly body: string;
  readonly response: ServerResponse;
}

/** Listens on a free port until the end of the test, and hands over each message once its body is there. @returns `127.0.0.1:PORT` */
export async function httpReceiver(handle: (message: Message) => void): Promise<string> {
  const server = createServer(async (request, response) => handle({ request, body: await text(request), response }));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
