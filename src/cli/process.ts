import type { Readable, Writable } from 'node:stream';

/** A stream that may be a terminal, and how wide that is. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command needs of the process it runs in. Only `main.ts` knows the real one. */
export interface ProcessPorts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  /** Undefined on Windows. */
  readonly uid: number | undefined;
  readonly tmpdir: string;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls back at each SIGTERM and SIGINT, and when the terminal has gone; returns the unsubscriber. */
  readonly onSignal: (listener: (signal: string) => void) => () => void;
  /** Calls back at each SIGHUP that asks for a reload; returns the unsubscriber. */
  readonly onHangup: (listener: () => void) => () => void;
  /** What an unexpected error says is shown only after this has taken out what must not be seen. */
  readonly hide?: (redact: (text: string) => string) => void;
  /** Ends the process at once, for a second signal. */
  readonly exit: (code: number) => never;
}

/** Exit codes, documented in the README. */
export const EXIT = { ok: 0, failed: 1, usage: 2, toolError: 3, interrupted: 130 } as const;
