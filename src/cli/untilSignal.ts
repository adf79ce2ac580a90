import type { ProcessPorts } from './process.ts';

/** Aborts at the first signal. */
export interface UntilSignal {
  readonly signal: AbortSignal;
  readonly dispose: () => void;
}

/** For commands that go on until somebody ends them. */
export function untilSignal({ onSignal }: Pick<ProcessPorts, 'onSignal'>): UntilSignal {
  const aborter = new AbortController();
  return { signal: aborter.signal, dispose: onSignal(() => aborter.abort()) };
}

/** Resolves after `ms` milliseconds, or at once when the signal is aborted. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
