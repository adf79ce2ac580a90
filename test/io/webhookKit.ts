/** A real receiver of webhooks, which a test lets fail as it likes. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { WebhookSpec } from '../../src/config/config.ts';
import { createSecret } from '../../src/config/secret.ts';
import { httpReceiver } from '../support/httpReceiver.ts';

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
  const host = await httpReceiver(({ request, body, response }) => {
    const message = { path: String(request.url), headers: request.headers, body };
    got.push(message);
    const answer = answers.length > 1 ? (answers.shift() as Answer) : (answers[0] as Answer);
    answer(response, message);
  });
  return {
    url: `http://${host}/hook/T0KEN?key=s3cret`,
    host,
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
