/** A real receiver of webhooks, which a test lets fail as it likes. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { WebhookSpec } from '../../src/config/config.ts';
import { createSecret } from '../../src/config/secret.ts';

export interface Got {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (response: ServerResponse, got: Got) => void;

export const ok: Answer = (response) => void response.writeHead(204).end();
export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end('nobody reads this');
export const hang: Answer = () => {};

export interface Receiver {
  readonly url: string;
  readonly host: string;
  readonly got: Got[];
  /** The answers to the next messages, the last one to all after them. */
  answers(...next: Answer[]): void;
}

export async function receiver(...first: Answer[]): Promise<Receiver> {
  const got: Got[] = [];
  let answers = first.length > 0 ? first : [ok];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const message = { path: String(request.url), headers: request.headers, body };
    got.push(message);
    const answer = answers.length > 1 ? (answers.shift() as Answer) : (answers[0] as Answer);
    answer(response, message);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook/T0KEN?key=s3cret`,
    host: `127.0.0.1:${port}`,
    got,
    answers: (...next) => {
      answers = next;
    },
  };
}

export const webhook = (url: string, patch: Partial<WebhookSpec> = {}): WebhookSpec => ({
  url: createSecret(url),
  format: 'json',
  secret: undefined,
  types: undefined,
  headers: {},
  ...patch,
});
