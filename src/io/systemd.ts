import { spawn } from 'node:child_process';
import type { Log } from './deps.ts';

/** What systemd is told of a service of `Type=notify`. sd_notify(3). */
export interface ServiceManager {
  /** It serves, for the first time or again after a reload. */
  ready(status: string): void;
  /** The configuration is being read again; `ready` ends it. */
  reloading(): void;
  stopping(): void;
  /** Ends the beats of the watchdog; resolves when everything has been told. */
  close(): Promise<void>;
}

export interface ServiceManagerOptions {
  /** `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are from systemd; of the rest only `PATH` is used. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What `/health/live` would say: without it the watchdog gets no beat, and systemd starts us anew. */
  readonly isAlive: () => Promise<boolean>;
  readonly log: Log;
}

/** Longest time for one message, in milliseconds. */
const PATIENCE = 5_000;

/**
 * Speaks to systemd through its own program `systemd-notify`, because the socket is a datagram socket, which Node.js cannot
 * open; the unit allows that with `NotifyAccess=all`. Messages go out one after the other. Without the program there are no
 * messages, which the log says once.
 */
export function createServiceManager({ env, isAlive, log }: ServiceManagerOptions): ServiceManager {
  let isBroken = false;
  let last: Promise<void> = Promise.resolve();

  const send = (...assignments: readonly string[]): Promise<void> => {
    last = last.then(async () => {
      const flaw = await notify(assignments, env);
      if (flaw === undefined || isBroken) return;
      isBroken = true;
      log('warn', 'systemd.notify', { message: `systemd cannot be told of the state of the service: ${flaw}` });
    });
    return last;
  };

  const interval = beatInterval(env);
  let isBeating = false;
  /** A timer of the event loop, so that one that hangs is found out; a beat that is late is not joined by the next one. */
  const beat = async () => {
    if (isBeating) return;
    isBeating = true;
    if (await isAlive().catch(() => false)) await send('WATCHDOG=1');
    isBeating = false;
  };
  const timer = interval === undefined ? undefined : setInterval(() => void beat(), interval).unref();

  return {
    ready: (status) => void send('READY=1', `STATUS=${status}`),
    // The time since boot: systemd wants to know which of two reloads a message is about.
    reloading: () =>
      void send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, 'STATUS=reading the configuration again'),
    stopping: () => void send('STOPPING=1', 'STATUS=draining: calls in flight may finish'),
    close() {
      clearInterval(timer);
      return last;
    },
  };
}

/** Milliseconds between two beats, half of what systemd allows; undefined when it does not wait for any. sd_watchdog_enabled(3). */
function beatInterval({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }: ServiceManagerOptions['env']): number | undefined {
  if (pid !== undefined && pid !== String(process.pid)) return undefined;
  const ms = Math.floor(Number(usec) / 2_000);
  return ms >= 1 ? Math.min(ms, 2 ** 31 - 1) : undefined;
}

/** Resolves with what went wrong. */
function notify(assignments: readonly string[], { NOTIFY_SOCKET, PATH }: ServiceManagerOptions['env']): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('systemd-notify', assignments, { env: { NOTIFY_SOCKET, PATH }, stdio: 'ignore', timeout: PATIENCE });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `systemd-notify ended with ${signal ?? `exit code ${code}`}`));
  });
}
