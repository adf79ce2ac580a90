/** The World → alerts: what is wrong becomes an incident, once, and its end is told. */
import { randomUUID } from 'node:crypto';
import type { Observable } from 'rxjs';
import type { AlertType } from '../config/config.ts';
import type { Limits } from '../limits.ts';
import type { World } from '../world.ts';
import { type Bad, type Good, type Reading, readings, type Severity } from './alertSignals.ts';
import { span } from './text.ts';

/** What a receiver gets. Times are ISO 8601; fields that do not apply are left out. */
export interface Alert {
  /** Of this alert; the same when it is sent again. */
  readonly id: string;
  /** The same in all alerts of one incident. */
  readonly incident: string;
  readonly type: AlertType | 'recovered' | 'test';
  /** What the incident is about, when `type` does not say it. */
  readonly of?: AlertType;
  readonly severity: Severity | 'info';
  readonly server?: string;
  readonly at: string;
  /** When it began. */
  readonly since: string;
  /** What is wrong and what to do, for people. */
  readonly summary: string;
  /** The last error. */
  readonly error?: string;
  readonly gateway: AlertSender;
}

export interface AlertSender {
  readonly name: string;
  readonly version: string;
  /** Name of the machine. */
  readonly host: string;
  /** Where clients come in; left out on stdio. */
  readonly url?: string;
}

/** An alert, and who may want it. */
export interface Notice {
  readonly alert: Alert;
  /** All that its incident was about so far. */
  readonly about: readonly AlertType[];
  /** It only repeats what alerts of other incidents say. */
  readonly echo: boolean;
}

/** What the machine of a subject is told. */
export interface AlertMachine {
  send(event: { readonly type: 'BAD' | 'GOOD' | 'END' | 'UNMUTE' } | { readonly type: 'MUTE'; readonly ms: number }): void;
  stop(): void;
}

export interface AlertsOptions {
  /** Starts the machine that decides what is said of a subject, and when. */
  readonly machine: (say: (said: 'opened' | 'flapping' | 'recovered') => void) => AlertMachine;
  readonly notify: (notice: Notice) => void;
  readonly limits: Limits;
  readonly redact: (text: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly sender: () => AlertSender;
  /** What is wrong with the gateway itself, in sentences. */
  readonly problems: () => readonly string[];
}

export interface Alerts {
  /**
   * Tells nothing of a server, of the `configuration` or the `gateway` for `ms`, or goes on when that is undefined.
   * @returns whether there is one of that name
   */
  mute(name: string, ms: number | undefined): boolean;
  close(): void;
}

/** What is wrong with the gateway itself is not in the World: it is looked at now and then. */
const LOOK_INTERVAL = 5_000;
const LONGEST_ERROR = 1_000;

interface Watched {
  reading: Reading;
  machine: AlertMachine;
  bad: boolean;
  /** Milliseconds since the epoch. */
  since: number;
  /** The last that was wrong. */
  cause: Bad | undefined;
  incident: Incident | undefined;
}

interface Incident {
  readonly id: string;
  readonly since: number;
  readonly type: AlertType;
  readonly about: Set<AlertType>;
  readonly echo: boolean;
}

export function createAlerts(world$: Observable<World>, options: AlertsOptions): Alerts {
  const { limits, now, problems } = options;
  const watched = new Map<string, Watched>();
  let latest: World | undefined;

  const look = () => {
    if (!latest || (latest.phase !== 'booting' && latest.phase !== 'running')) return;
    const found = readings(latest, { crashes: limits['alerts.crashes'], problems: problems() });
    for (const [key, reading] of found) {
      // What was never wrong needs no machine.
      const known = watched.get(key) ?? (reading.signal?.bad ? watch(key, reading) : undefined);
      if (known) update(known, reading);
    }
    for (const [key, gone] of watched) {
      if (found.has(key)) continue;
      watched.delete(key);
      gone.reading = { ...gone.reading, signal: { bad: false, note: 'is no longer configured' } };
      gone.machine.send({ type: 'END' });
    }
  };

  const watch = (key: string, reading: Reading): Watched => {
    const machine = options.machine((said) => options.notify(noticeOf(entry, said, options)));
    const entry: Watched = { reading, machine, bad: false, since: now(), cause: undefined, incident: undefined };
    watched.set(key, entry);
    return entry;
  };

  const subscription = world$.subscribe((world) => {
    const isSame = latest && latest.backends === world.backends && latest.config === world.config && latest.phase === world.phase;
    latest = world;
    if (!isSame) look();
  });
  const timer = setInterval(look, LOOK_INTERVAL).unref();

  function update(entry: Watched, reading: Reading): void {
    const { signal } = reading;
    if (!signal) return;
    entry.reading = reading;
    if (signal.bad) entry.cause = signal;
    if (signal.bad === entry.bad) return;
    entry.bad = signal.bad;
    if (signal.bad) entry.since = now();
    entry.machine.send({ type: signal.bad ? 'BAD' : 'GOOD' });
  }

  return {
    mute(name, ms) {
      if (!latest) return false;
      const found = [...readings(latest, { crashes: limits['alerts.crashes'], problems: problems() })];
      const those = found.filter(([, { server, group }]) => (server ?? group) === name);
      for (const [key, reading] of those) {
        const { machine } = watched.get(key) ?? watch(key, reading);
        machine.send(ms === undefined ? { type: 'UNMUTE' } : { type: 'MUTE', ms });
      }
      return those.length > 0;
    },
    close() {
      subscription.unsubscribe();
      clearInterval(timer);
      for (const { machine } of watched.values()) machine.stop();
    },
  };
}

function noticeOf(entry: Watched, said: 'opened' | 'flapping' | 'recovered', options: AlertsOptions): Notice {
  const { since } = entry;
  // Nothing is said of what was never wrong.
  const cause = entry.cause as Bad;
  entry.incident ??= { id: randomUUID(), since, type: cause.type, about: new Set([cause.type]), echo: cause.echo };
  const { incident } = entry;
  if (said === 'flapping') incident.about.add('flapping');
  if (said === 'recovered') entry.incident = undefined;
  const alert = said === 'recovered' ? recovery(entry, incident, options) : trouble({ ...entry, cause }, incident, said, options);
  return { alert, about: [...incident.about], echo: incident.echo };
}

function trouble(
  { cause, reading }: Watched & { readonly cause: Bad },
  incident: Incident,
  said: 'opened' | 'flapping',
  options: AlertsOptions,
): Alert {
  const { limits, redact } = options;
  const type = said === 'flapping' ? 'flapping' : cause.type;
  const flaps = `${reading.title} goes up and down, more than ${limits['alerts.flaps']} times within ${span(limits['alerts.flapWindow'])}; no more is said of it until it has been the same for ${span(limits['alerts.calm'])}`;
  return {
    ...common(incident, said, options),
    type,
    ...(type === 'flapping' && { of: incident.type }),
    severity: cause.severity,
    ...(reading.server !== undefined && { server: reading.server }),
    summary: redact(`${said === 'flapping' ? flaps : cause.what}. ${cause.advice}`),
    ...(cause.error !== undefined && { error: redact(cause.error).slice(0, LONGEST_ERROR) }),
  };
}

function recovery({ reading }: Watched, incident: Incident, options: AlertsOptions): Alert {
  const note = (reading.signal as Good | undefined)?.note;
  const time = span(options.now() - incident.since);
  return {
    ...common(incident, 'recovered', options),
    type: 'recovered',
    of: incident.type,
    severity: 'info',
    ...(reading.server !== undefined && { server: reading.server }),
    summary: options.redact(
      `${reading.title} ${note === undefined ? `${reading.well} after ${time}` : `${note}; its incident is closed after ${time}`}.`,
    ),
  };
}

const common = ({ id, since }: Incident, said: string, { now, sender }: AlertsOptions) => ({
  id: `${id}-${said}`,
  incident: id,
  at: new Date(now()).toISOString(),
  since: new Date(since).toISOString(),
  gateway: sender(),
});

/** An alert about nothing, to see whether it arrives. */
export function testAlert(now: number, gateway: AlertSender): Alert {
  const [incident, at] = [randomUUID(), new Date(now).toISOString()];
  const summary = 'This is a test: somebody ran "onemcp alert test". Nothing is wrong.';
  return { id: `${incident}-test`, incident, type: 'test', severity: 'info', at, since: at, summary, gateway };
}
