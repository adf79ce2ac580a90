import type { Readable, Writable } from 'node:stream';

/** What a command needs of the process it runs in. Only `main.ts` knows the real one. */
export interface ProcessPorts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  /** Undefined on Windows. */
  readonly uid: number | undefined;
  readonly tmpdir: string;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Calls back at each SIGTERM and SIGINT, and when the terminal has gone; returns the unsubscriber. */
  readonly onSignal: (listener: (signal: string) => void) => () => void;
  /** Calls back at each SIGHUP that asks for a reload; returns the unsubscriber. */
  readonly onHangup: (listener: () => void) => () => void;
  /** Ends the process at once, for a second signal. */
  readonly exit: (code: number) => never;
}

/** Exit codes, documented in the README. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
