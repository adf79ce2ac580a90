/** Alerts on their way to one receiver: one after the other, again if need be, and never in anybody's way. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from '../limits.ts';
import type { Log } from './deps.ts';
import type { Posted, Poster, WebhookMessage } from './webhook.ts';

export interface QueuedMessage extends WebhookMessage {
  /** Messages of one incident belong together. */
  readonly incident: string;
  /** For the log. */
  readonly type: string;
}

export interface WebhookQueue {
  /** Never waits and never throws. */
  send(message: QueuedMessage): void;
  /** Takes no more, and gives what waits `alerts.flushTimeout`. Never rejects. */
  close(): Promise<void>;
}

export interface WebhookQueueOptions {
  readonly poster: Poster;
  readonly limits: Limits;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

export function createWebhookQueue({ poster, limits, log, random }: WebhookQueueOptions): WebhookQueue {
  const { host } = poster;
  const waiting: QueuedMessage[] = [];
  const stop = new AbortController();
  let closed = false;
  let working: Promise<void> | undefined;
  let dropped = 0;

  const work = async () => {
    for (let message = waiting.shift(); message; message = waiting.shift()) await deliver(message);
  };

  const deliver = async (message: QueuedMessage) => {
    const { type, incident } = message;
    for (let attempt = 1; ; attempt++) {
      const posted = await poster.post(message, stop.signal);
      const facts = { target: host, type, incident, attempts: attempt };
      if (posted.ok) return log('info', 'alert.sent', { message: `alert ${type} sent to ${host}`, ...facts, status: posted.status });
      if (!posted.retry || attempt >= limits['alerts.attempts'] || stop.signal.aborted) {
        return log('error', 'alert.failed', { message: `alert ${type} was not delivered: ${posted.reason}`, ...facts });
      }
      log('debug', 'alert.retry', { message: `alert ${type} is sent again: ${posted.reason}`, ...facts });
      await sleep(delayOf(posted, attempt), undefined, { signal: stop.signal, ref: false }).catch(() => {});
    }
  };

  /** Exponential, between half and all of it, or what the receiver asks for if that is more. */
  const delayOf = ({ retryAfterMs = 0 }: Extract<Posted, { ok: false }>, attempt: number): number => {
    const bound = Math.min(limits['alerts.retryMax'], limits['alerts.retryInitial'] * 2 ** Math.min(attempt - 1, 30));
    return Math.max(Math.round(((1 + random()) / 2) * bound), retryAfterMs);
  };

  const makeRoom = (incident: string) => {
    const same = waiting.findIndex((message) => message.incident === incident);
    const [gone] = waiting.splice(Math.max(same, 0), 1);
    dropped++;
    const message = `an alert for ${host} was dropped: more than ${limits['alerts.queue']} wait for it`;
    log('warn', 'alert.dropped', { message, target: host, type: gone?.type, incident: gone?.incident, dropped });
  };

  return {
    send(message) {
      if (closed) return;
      if (waiting.length >= limits['alerts.queue']) makeRoom(message.incident);
      waiting.push(message);
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    async close() {
      closed = true;
      const flushed = new AbortController();
      const late = sleep(limits['alerts.flushTimeout'], undefined, { signal: flushed.signal }).catch(() => {});
      await Promise.race([working, late]);
      flushed.abort();
      const left = waiting.splice(0).length;
      if (left > 0) {
        dropped += left;
        const message = `the gateway goes down with ${left} ${left === 1 ? 'alert' : 'alerts'} for ${host} not sent`;
        log('warn', 'alert.dropped', { message, target: host, dropped });
      }
      stop.abort();
      await working;
      await poster.destroy();
    },
  };
}
