/** What of the World is as it should be, and what is not: one signal for each subject that alerts can be about. Pure. */
import type { AlertType } from '../config/config.ts';
import { formatIssue } from '../config/issue.ts';
import type { OnemcpError } from '../errors.ts';
import type { BackendView, World } from '../world.ts';
import { adviceFor } from './advice.ts';
import { isUsable } from './health.ts';

export type Severity = 'critical' | 'warning';

export interface Bad {
  readonly bad: true;
  readonly type: AlertType;
  readonly severity: Severity;
  /** What is wrong: one sentence, its subject first. */
  readonly what: string;
  /** What can be done about it. */
  readonly advice: string;
  readonly error?: string | undefined;
  /** All of it is said by alerts about other subjects. */
  readonly echo: boolean;
}

export interface Good {
  readonly bad: false;
  /** Why nothing is expected of it any more, if that is so. */
  readonly note?: string;
}

export interface SignalFacts {
  /** See `alerts.crashes` in limits.ts. */
  readonly crashes: number;
  /** What is wrong with the gateway itself, in sentences. */
  readonly problems: readonly string[];
}

/** A subject of alerts. */
interface Subject {
  /** In words, as a sentence begins with it. */
  readonly title: string;
  /** What is said of it when it is as it should be. */
  readonly well: string;
  /** Name of the backend, if it is one, or what else it is a part of. */
  readonly server?: string;
  readonly group?: 'gateway' | 'configuration';
}

/** How a subject is; undefined: it cannot be told, for instance while a backend starts for the first time. */
export interface Reading extends Subject {
  readonly signal: Bad | Good | undefined;
}

/** Names in one sentence. */
const MOST_NAMES = 5;
const GOOD: Good = { bad: false };

/** How every subject is, by a key of its own. */
export function readings(world: World, facts: SignalFacts): ReadonlyMap<string, Reading> {
  const found = new Map<string, Reading>();
  const signals = new Map<BackendView, Reading['signal']>();
  for (const view of world.backends.values()) {
    const signal = backendSignal(view, facts.crashes);
    signals.set(view, signal);
    found.set(`server ${view.name}`, { title: titleOf(view.name), well: 'is well again', server: view.name, signal });
  }
  const [unhealthy, degraded] = levelSignals(signals);
  found.set('configuration', { title: 'The configuration', group: 'configuration', well: 'is valid again', signal: configSignal(world) });
  found.set('unhealthy', { title: 'The gateway', group: 'gateway', well: 'is no longer unhealthy', signal: unhealthy });
  found.set('degraded', { title: 'The gateway', group: 'gateway', well: 'is healthy again', signal: degraded });
  found.set('problems', { title: 'The gateway', group: 'gateway', well: 'is well again', signal: problemSignal(facts.problems) });
  return found;
}

const titleOf = (name: string): string => JSON.stringify(name);

function backendSignal(view: BackendView, crashes: number): Reading['signal'] {
  const { name, state, failures, lastError, connects } = view;
  const loops = failures >= crashes && connects > 0;
  if (state === 'connected' && loops) return badBackend(view, 'crash_loop', `ended ${failures} times in a row and is up again for now`);
  if (state === 'connected' || view.asleep) return GOOD;
  if (state === 'stopped') return { bad: false, note: 'is stopped' };
  // Nothing can be said of a start that nothing preceded, nor of an end that somebody asked for.
  if (state === 'stopping' || !lastError || failures === 0) return undefined;
  if (wantsAuthorization(lastError)) return badBackend(view, 'needs_authorization', 'refuses the credentials that it is sent');
  if (state === 'failed') {
    const next =
      view.retryAt === undefined ? `is not tried again until somebody asks for it (onemcp start ${name})` : 'is only tried now and then';
    return badBackend(view, 'backend_failed', `is down and ${next}`);
  }
  return loops
    ? badBackend(view, 'crash_loop', `ended ${failures} times in a row`)
    : badBackend(view, 'backend_failed', `is down and is started again and again`);
}

const badBackend = (view: BackendView, type: AlertType, what: string): Bad => ({
  bad: true,
  type,
  severity: view.critical ? 'critical' : 'warning',
  what: `${titleOf(view.name)} ${what}`,
  advice: adviceOf(view),
  error: view.lastError?.message,
  echo: false,
});

/** Command lines stay on this machine: their arguments may be nobody's business. */
function adviceOf(view: BackendView): string {
  const { name, kind, lastError } = view;
  const more = `More: onemcp why ${name}`;
  if (!lastError || kind === 'stdio') return more;
  return `${adviceFor(lastError, { view, spec: undefined })} ${more}`;
}

const wantsAuthorization = ({ code, data }: OnemcpError): boolean =>
  code === 'unauthorized' || (code === 'http_status' && (data?.status === 401 || data?.status === 403));

function configSignal({ config: { lastError, revision } }: World): Bad | Good {
  if (!lastError) return GOOD;
  const [first] = lastError.issues;
  const more = lastError.issues.length - 1;
  return {
    bad: true,
    type: 'config_rejected',
    severity: 'warning',
    what: `The configuration was rejected; revision ${revision} stays in force`,
    advice: 'See all that is wrong with: onemcp check',
    error: first && `${formatIssue(first)}${more > 0 ? ` (and ${more} more)` : ''}`,
    echo: false,
  };
}

/**
 * As `healthLevel`, but that a backend of which nothing can be said yet does not count as down. Two subjects, so that what
 * gets worse is told.
 */
function levelSignals(signals: ReadonlyMap<BackendView, Reading['signal']>): readonly [Reading['signal'], Reading['signal']] {
  const views = [...signals.keys()];
  const down = views.filter((view) => !isUsable(view) && signals.get(view) !== undefined);
  const named = down.slice(0, MOST_NAMES).map(({ name }) => titleOf(name));
  const names = [named.join(', '), ...(down.length > MOST_NAMES ? [`and ${down.length - MOST_NAMES} more`] : [])].join(' ');
  const all = down.length > 0 && down.length === views.length;
  const told = down.every((view) => signals.get(view)?.bad);
  const unhealthy = all || down.some(({ critical }) => critical);
  const bad = (type: AlertType, severity: Severity, echo: boolean): Bad => ({
    bad: true,
    type,
    severity,
    what: `The gateway is ${severity === 'critical' ? 'unhealthy' : 'degraded'}: ${all ? 'none of its servers is' : `${names} ${down.length === 1 ? 'is' : 'are'} not`} usable`,
    advice: 'More: onemcp status',
    echo,
  });
  if (unhealthy) return [bad('gateway_unhealthy', 'critical', told && !(all && views.length > 1)), undefined];
  return [GOOD, down.length > 0 ? bad('gateway_degraded', 'warning', true) : GOOD];
}

function problemSignal(problems: readonly string[]): Bad | Good {
  if (problems.length === 0) return GOOD;
  const what = 'The gateway serves, but something is wrong with itself';
  return {
    bad: true,
    type: 'gateway_degraded',
    severity: 'warning',
    what,
    advice: 'More: curl its /health',
    error: problems.join('; '),
    echo: false,
  };
}
