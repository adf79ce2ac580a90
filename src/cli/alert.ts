import { type Tried, tryWebhook } from '../alerts.ts';
import { configSource, explained } from './config.ts';
import { type Asking, type ControlFlags, say, withGateway } from './control.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import { VERSION } from './version.ts';

export interface AlertTestFlags {
  /** Only this one of the webhooks, from 1. */
  readonly target?: number | undefined;
}

/** `onemcp alert test [FILE]`: sends a test alert to the webhooks of a configuration; no gateway has to run. */
export async function alertTest(file: string, { target }: AlertTestFlags, ports: ProcessPorts): Promise<number> {
  const config = explained(await configSource(file, {}, ports).load(), ports);
  if (!config) return EXIT.usage;
  const { length } = config.webhooks ?? [];
  if (length === 0) {
    say(ports.stderr, `onemcp: ${file} names no webhooks; add one: "gateway": { "alerts": { "webhooks": [{ "url": "https://…" }] } }`);
    return EXIT.failed;
  }
  if (target !== undefined && (target < 1 || target > length)) {
    say(ports.stderr, `onemcp: there is no webhook ${target} in ${file}; there ${length === 1 ? 'is 1' : `are ${length}`}, counted from 1`);
    return EXIT.usage;
  }
  const targets = target === undefined ? Array.from({ length }, (_, index) => index + 1) : [target];
  const results = await Promise.all(targets.map((number) => tryWebhook(config, number, VERSION)));
  const tried = results.filter((result) => result !== undefined);
  for (const result of tried) say(ports.stdout, lineOf(result));
  return tried.every(({ posted }) => posted.ok) ? EXIT.ok : EXIT.failed;
}

export interface MuteFlags extends ControlFlags {
  /** Milliseconds. */
  readonly for?: number | undefined;
}

/** Unless another time is named. */
const AN_HOUR = 3_600_000;

/** `onemcp alert mute|unmute NAME [FILE]`: the running gateway sends no alerts about something, or does again. */
export async function alertMute(op: 'mute' | 'unmute', name: string, asking: Asking & { readonly flags: MuteFlags }): Promise<number> {
  const { flags, ports } = asking;
  return withGateway(asking, async (ask) => {
    const body = op === 'mute' ? { ms: flags.for ?? AN_HOUR } : {};
    const result = await ask<{ readonly message: string }>({ method: 'POST', path: `/alerts/${encodeURIComponent(name)}/${op}`, body });
    say(ports.stdout, flags.json ? JSON.stringify(result, null, 2) : result.message);
    return EXIT.ok;
  });
}

const lineOf = ({ target, host, format, posted }: Tried): string =>
  `${target}. ${host} (${format}): ${posted.ok ? `ok, answered ${posted.status} after ${posted.ms} ms` : `failed: ${posted.reason}`}`;
