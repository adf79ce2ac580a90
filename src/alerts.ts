/** Alerts put together: what the World shows, what is told of it, and to whom. */
import { hostname } from 'node:os';
import type { Observable } from 'rxjs';
import { startAlerting } from './actors/alert.ts';
import type { Config, WebhookSpec } from './config/config.ts';
import type { Log } from './io/deps.ts';
import { createPoster, type Posted } from './io/webhook.ts';
import { createWebhookQueue } from './io/webhookQueue.ts';
import { alertBody } from './observe/alertBody.ts';
import { type Alert, type AlertSender, type Alerts, createAlerts, type Notice, testAlert } from './observe/alerts.ts';
import { createRedactor } from './observe/redact.ts';
import type { World } from './world.ts';

export interface AlertingOptions {
  readonly world$: Observable<World>;
  readonly log: Log;
  readonly redact: (text: string) => string;
  readonly version: string;
  /** Where clients come in; undefined: on stdio. */
  readonly url: () => string | undefined;
  /** What is wrong with the gateway itself, in sentences. */
  readonly problems: () => readonly string[];
}

export interface Alerting extends Pick<Alerts, 'mute'> {
  /** Gives what is still to be sent `alerts.flushTimeout`. Never rejects. */
  close(): Promise<void>;
}

/** Tells the webhooks of a configuration of critical events, until it is closed; undefined: it has none. */
export function createAlerting({ webhooks = [], limits }: Config, options: AlertingOptions): Alerting | undefined {
  if (webhooks.length === 0) return undefined;
  const { world$, log, redact, version, url, problems } = options;
  const receivers = webhooks.map((spec) => ({ spec, queue: queueOf(spec) }));

  function queueOf(spec: WebhookSpec) {
    const poster = createPoster(spec, { timeout: limits['alerts.timeout'], version, now: Date.now, redact });
    return createWebhookQueue({ poster, limits, log, random: Math.random });
  }

  const notify = (notice: Notice) => {
    const { alert } = notice;
    for (const { spec, queue } of receivers) {
      if (wants(spec, notice)) queue.send({ ...headOf(alert), body: alertBody(alert, spec.format) });
    }
  };
  const alerts = createAlerts(world$, {
    machine: (say) => startAlerting({ limits, monotonic: () => performance.now(), say }),
    notify,
    limits,
    redact,
    now: Date.now,
    sender: () => senderOf(version, url()),
    problems,
  });
  return {
    mute: alerts.mute,
    async close() {
      alerts.close();
      await Promise.all(receivers.map(({ queue }) => queue.close()));
    },
  };
}

const headOf = ({ id, incident, type }: Alert) => ({ id, incident, type });

/** A recovery goes to whoever was told of the incident. */
const wants = ({ types }: WebhookSpec, { about, echo }: Notice): boolean => (types ? about.some((type) => types.includes(type)) : !echo);

const senderOf = (version: string, url?: string): AlertSender => ({
  name: 'onemcp',
  version,
  host: hostname(),
  ...(url !== undefined && { url }),
});

export interface Tried {
  /** Which of the webhooks, from 1. */
  readonly target: number;
  readonly host: string;
  readonly format: WebhookSpec['format'];
  readonly posted: Posted;
}

/** Sends a test alert to one webhook of a configuration, once. Never rejects. */
export async function tryWebhook({ webhooks = [], limits, secrets }: Config, target: number, version: string): Promise<Tried | undefined> {
  const spec = webhooks[target - 1];
  if (!spec) return undefined;
  const { redact } = createRedactor(secrets);
  const poster = createPoster(spec, { timeout: limits['alerts.timeout'], version, now: Date.now, redact });
  const alert = testAlert(Date.now(), senderOf(version));
  const posted = await poster.post({ id: alert.id, body: alertBody(alert, spec.format) });
  await poster.destroy();
  return { target, host: poster.host, format: spec.format, posted };
}
