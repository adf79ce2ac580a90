import type { BackendSpec } from './config/config.ts';
import { nearest } from './config/suggest.ts';
import { OnemcpError } from './errors.ts';
import type { ControlOps, OperationResult } from './http/controlOps.ts';
import type { StderrBook } from './io/stderrBook.ts';
import { mapTexts } from './json.ts';
import type { Limits } from './limits.ts';
import { type Asked, type Outcome, outcomeOf, tooLong, underWay } from './observe/outcome.ts';
import { notUsed, type StatusFacts, serverStatus, statusOf } from './observe/status.ts';
import { span } from './observe/text.ts';
import { whyOf } from './observe/why.ts';
import type { WorldSource } from './observe/world.ts';
import type { BackendView, Operation } from './world.ts';

export interface ControlOptions extends WorldSource, Pick<ControlOps, 'reload' | 'plan'> {
  /** Carries an operation out; what comes of it shows in the World. */
  readonly operate: (operation: Operation) => void;
  readonly facts: () => StatusFacts;
  readonly spec: (name: string) => BackendSpec | undefined;
  readonly limits: Limits;
  readonly redact: (text: string) => string;
  readonly stderr?: StderrBook | undefined;
  /** See `Alerts.mute`. */
  readonly muteAlerts?: ((name: string, ms: number | undefined) => boolean) | undefined;
}

/** Beyond what the World says of its progress. */
const SLACK = 5_000;

/** What operators can ask, over a running system. Whatever leaves it is redacted. */
export function createControl({
  world,
  onChange,
  operate,
  facts,
  spec,
  limits,
  redact,
  reload,
  plan,
  stderr,
  muteAlerts,
}: ControlOptions): ControlOps {
  const clean = <T>(value: T): T => mapTexts(value, redact) as T;

  const unknown = (name: string): OnemcpError => {
    const { backends, config } = world();
    const shown = JSON.stringify(name.slice(0, 64));
    const off = notUsed(config, name);
    if (off !== undefined) return new OnemcpError('unknown_server', `server ${shown} ${off}`);
    const names = [...backends.keys()];
    const guess = nearest(name, names);
    const hint = guess === undefined ? `there are ${names.join(', ') || 'none'}` : `did you mean "${guess}"?`;
    return new OnemcpError('unknown_server', `there is no server ${shown}; ${hint}`);
  };

  const longest = ({ op, name }: Operation, { connects }: BackendView): number => {
    const { startTimeout = limits.startTimeout, installTimeout = 0 } = spec(name) ?? {};
    const stop = limits['stop.stdin'] + limits['stop.term'] + SLACK;
    if (op === 'stop' || op === 'restart' || op === 'start') {
      return stop + (op === 'stop' ? 0 : connects === 0 ? Math.max(startTimeout, installTimeout) : startTimeout);
    }
    return SLACK;
  };

  const settled = (asked: Asked, signal: AbortSignal): Promise<Outcome> =>
    new Promise((resolve) => {
      const { operation, before } = asked;
      const ms = longest(operation, before);
      const view = () => world().backends.get(operation.name);
      const end = (outcome: Outcome) => {
        unsubscribe();
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const look = () => {
        const outcome = outcomeOf(asked, view());
        if (outcome) end(outcome);
      };
      const onAbort = () => end(underWay(operation));
      const timer = setTimeout(() => end(tooLong(asked, ms, view())), ms);
      const unsubscribe = onChange(look);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else look();
    });

  return {
    status: () => clean(statusOf(world(), facts())),
    why(name) {
      const document = whyOf(name, world(), { ...facts(), spec: spec(name) });
      if (!document) throw unknown(name);
      return clean(document);
    },
    logs:
      stderr &&
      (({ server, after, most }) => {
        if (server !== undefined && !world().backends.has(server)) throw unknown(server);
        const { last, lines } = stderr.read({ backend: server, after, most });
        return clean({ last, lines: lines.map(({ at, backend, line }) => ({ ts: new Date(at).toISOString(), server: backend, line })) });
      }),
    async operate(operation, { wait, signal }) {
      const before = world().backends.get(operation.name);
      if (!before) throw unknown(operation.name);
      if (world().phase !== 'running') throw new OnemcpError('draining', `the gateway is ${world().phase}`);
      const about = facts();
      operate(operation);
      const outcome = wait ? await settled({ operation, before, now: about.now }, signal) : underWay(operation);
      const view = world().backends.get(operation.name);
      return clean({ ...outcome, server: view && serverStatus(view, world(), about) } satisfies OperationResult);
    },
    reload: reload && (async () => clean(await reload())),
    plan: plan && (async (file, variables) => clean(await plan(file, variables))),
    muteAlerts:
      muteAlerts &&
      ((name, ms) => {
        if (!muteAlerts(name, ms)) throw unknown(name);
        const what = JSON.stringify(name);
        return {
          message:
            ms === undefined
              ? `alerts about ${what} are sent again`
              : `no alerts about ${what} for ${span(ms)}, or until: onemcp alert unmute ${name}`,
        };
      }),
  };
}
