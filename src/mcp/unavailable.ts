/** What a client is told of a backend that cannot be asked now. */
import { OnemcpError } from '../errors.ts';
import type { BackendView } from '../world.ts';
import { type Context, isComing } from './method.ts';
import { NOTHING_SENT } from './retry.ts';

interface Circumstances {
  readonly context: Context;
  /** Milliseconds that the call waited for the backend. */
  readonly waitedMs: number;
}

/** The error that names the server, its state, its last error, what happens next, and what to do. */
export function unavailable(name: string, view: BackendView | undefined, { context, waitedMs }: Circumstances): OnemcpError {
  const retryAfterMs = view?.retryAt === undefined ? undefined : Math.max(0, view.retryAt - context.epoch());
  const waited = waitedMs >= 1000 ? `The call waited ${Math.round(waitedMs / 1000)} s for it.` : '';
  const cause = view?.lastError ? `Last error: ${view.lastError.message}.` : '';
  const sentences = [
    `Server "${name}" ${stateOf(name, view, context)}.`,
    waited,
    cause,
    view && nextOf(view, retryAfterMs, context),
    NOTHING_SENT,
  ];
  return new OnemcpError('backend_unavailable', sentences.filter(Boolean).join(' '), {
    server: name,
    reason: 'unavailable',
    state: view?.state,
    retryable: view?.state !== 'failed' || retryAfterMs !== undefined,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** The error for a backend whose operator keeps requests from it. */
export function drained({ name, held }: BackendView, { epoch }: Context): OnemcpError {
  const until = held?.until;
  const end = until === undefined ? 'it is resumed' : new Date(until).toISOString();
  return new OnemcpError('busy', `Server "${name}" is drained by its operator until ${end}. ${NOTHING_SENT}`, {
    server: name,
    reason: 'drained',
    retryable: true,
    ...(until !== undefined && { retryAfterMs: Math.max(0, until - epoch()) }),
    sent: false,
  });
}

function stateOf(name: string, view: BackendView | undefined, { world }: Context): string {
  const { backends, phase } = world();
  if (!view) return backends.has(name) ? 'has no connection for this client yet' : 'is no longer configured';
  const { state, waitsFor, failures } = view;
  if (state === 'idle' && waitsFor.length > 0)
    return `waits for ${waitsFor.map((other) => otherOf(other, backends.get(other))).join(', and ')}`;
  if (state === 'stopped' && phase === 'running') return `was stopped by its operator; \`onemcp start ${name}\` starts it again`;
  if (state === 'failed' && failures > 1) return `has failed ${failures} times in a row`;
  return STATES[state];
}

const otherOf = (name: string, view: BackendView | undefined): string =>
  `"${name}", which ${view ? STATES[view.state] : 'is not configured'}`;

function nextOf(view: BackendView, retryAfterMs: number | undefined, context: Context): string | undefined {
  const { name, state, failures } = view;
  const inSeconds = retryAfterMs !== undefined && `in ${(retryAfterMs / 1000).toFixed(1)} s`;
  if (state === 'failed') {
    if (inSeconds) return `It is probed again ${inSeconds}.`;
    return `It is not tried again until its configuration changes, or until \`onemcp restart ${name}\`.`;
  }
  if (inSeconds) return `The next start is ${inSeconds} (attempt ${failures + 1}).`;
  return isComing(view, context) ? 'It will be usable as soon as it is connected.' : undefined;
}

const STATES: Readonly<Record<BackendView['state'], string>> = {
  idle: 'is waiting to be started',
  starting: 'is still starting',
  connected: 'has just lost its connection',
  error: 'has failed and is being cleaned up',
  retrying: 'is down and will be restarted',
  failed: 'has failed',
  stopping: 'is being stopped',
  stopped: 'is stopped',
};
