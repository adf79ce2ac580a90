import type { Limits } from '../limits.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/**
 * One line worth reading. `event` is a stable dotted name (`backend.stderr`), `fields` are plain values; never
 * arguments, results, tokens or secrets.
 */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Remembers process groups so that none survives the gateway, however the gateway ends. */
export interface Reaper {
  /** Value of `ONEMCP_RUN` in the environment of every child. */
  readonly cookie: string;
  add(pgid: number): void;
  remove(pgid: number): void;
  /** Kills every registered group at once with SIGKILL; synchronous, for the last exit path. */
  killAll(): void;
  /** Ends the reaper process. */
  close(): void;
}

/** What I/O needs from the outside: nothing in `io/` reads globals. */
export interface IoDeps {
  readonly limits: Limits;
  readonly log: Log;
  readonly reaper: Reaper;
  /** Keeps what backends write to stderr, as they write it. */
  readonly keepStderr?: ((backend: string, line: string) => void) | undefined;
  /** Environment of the gateway; children see only the allow-list of it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Replaces every known secret in a text with `***`. `isCut`: the text went on; what may be the beginning of one at its end goes too. */
  readonly redact: (text: string, isCut?: boolean) => string;
}
