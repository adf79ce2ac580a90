/** One POST to a receiver of alerts. */
import { createHmac } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Pool } from 'undici';
import type { MaybeSecret, WebhookSpec } from '../config/config.ts';
import { connectionFailure, retryAfterMs } from './httpErrors.ts';

export interface WebhookMessage {
  /** By which a receiver knows one that it has already. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

/** What became of one attempt. `reason` completes a sentence that begins with the receiver. */
export type Posted =
  | { readonly ok: true; readonly status: number; readonly ms: number }
  | {
      readonly ok: false;
      readonly reason: string;
      /** Worth another attempt, and after how many milliseconds at the earliest. */
      readonly retry: boolean;
      readonly retryAfterMs?: number | undefined;
    };

export interface Poster {
  /** Scheme, host and port: the rest of the address may be all that one has to know to write there. */
  readonly host: string;
  /** Never rejects. */
  post(message: WebhookMessage, signal?: AbortSignal): Promise<Posted>;
  destroy(): Promise<void>;
}

export interface PosterOptions {
  /** Milliseconds for the whole exchange. */
  readonly timeout: number;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly redact: (text: string) => string;
}

/** What is read of an answer, so that its connection can be used again. */
const ANSWER_BYTES = 64 * 1024;

/** Redirects are not followed: signature and headers are meant for this receiver alone. */
export function createPoster({ url, secret, headers }: WebhookSpec, { timeout, version, now, redact }: PosterOptions): Poster {
  const { origin, host, pathname, search } = new URL(url.reveal());
  const target = { name: host, origin, redact };
  let pool: Promise<Pool> | undefined;
  // With the first alert: undici costs a start forty milliseconds.
  const opened = (): Promise<Pool> => {
    pool ??= import('undici').then((undici) => {
      return new undici.Pool(origin, { connections: 1, connect: { timeout }, headersTimeout: 0, bodyTimeout: 0 });
    });
    return pool;
  };
  const fixed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), reveal(value)]));

  const headersOf = ({ id, body }: WebhookMessage): Record<string, string> => {
    const at = Math.floor(now() / 1000);
    return {
      'user-agent': `onemcp/${version}`,
      ...fixed,
      'content-type': 'application/json',
      'onemcp-id': id,
      'onemcp-timestamp': String(at),
      ...(secret && { 'onemcp-signature': signatureOf(secret.reveal(), at, body) }),
    };
  };

  return {
    host,
    async post(message, stop) {
      const late = AbortSignal.timeout(timeout);
      const signal = stop ? AbortSignal.any([stop, late]) : late;
      const began = performance.now();
      try {
        const {
          statusCode,
          headers: answered,
          body,
        } = await (await opened()).request({
          method: 'POST',
          path: pathname + search,
          headers: headersOf(message),
          body: message.body,
          signal,
        });
        await body.dump({ limit: ANSWER_BYTES, signal }).catch(() => {});
        const ms = Math.round(performance.now() - began);
        return statusCode >= 200 && statusCode < 300 ? { ok: true, status: statusCode, ms } : refusal(statusCode, answered['retry-after']);
      } catch (error) {
        if (late.aborted) return { ok: false, reason: `"${host}" did not answer within ${timeout / 1000} s`, retry: true };
        if (stop?.aborted) return { ok: false, reason: `the gateway went down before "${host}" had answered`, retry: false };
        return { ok: false, reason: connectionFailure(target, error).error.message, retry: true };
      }
    },
    destroy: async () => (await pool)?.destroy(),
  };

  function refusal(status: number, after: string | string[] | undefined): Posted {
    const text = `"${host}" answered ${status}${STATUS_CODES[status] ? ` ${STATUS_CODES[status]}` : ''}`;
    if (status >= 300 && status < 400)
      return { ok: false, reason: `${text}; redirects are not followed: write the final address as its url`, retry: false };
    const retry = status === 429 || status >= 500;
    return { ok: false, reason: text, retry, ...(retry && { retryAfterMs: after === undefined ? undefined : retryAfterMs(after) }) };
  }
}

/**
 * `v1=` and the HMAC-SHA256 of `timestamp.body` in hex. The time is signed as well, so that an old message is not taken for a
 * new one.
 * @param at seconds since the epoch
 */
const signatureOf = (secret: string, at: number, body: string): string =>
  `v1=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}`;

const reveal = (value: MaybeSecret): string => (typeof value === 'string' ? value : value.reveal());
