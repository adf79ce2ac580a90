import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parseDocument } from './parse.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface StateDirOptions {
  /** As it is written in the file: a folder, or `false` for none. */
  readonly written: unknown;
  /** Folder that a relative one is in. */
  readonly folder: string;
  readonly env: Env;
}

/**
 * Where state goes; undefined: nowhere. As with every setting the environment wins over the file. XDG Base Directory
 * Specification.
 */
export function stateDirOf({ written, folder, env }: StateDirOptions): string | undefined {
  const { ONEMCP_STATE_DIR, XDG_STATE_HOME: xdg, HOME: home } = env;
  const own = ONEMCP_STATE_DIR?.trim();
  if (own?.toLowerCase() === 'false') return undefined;
  if (own) return resolve(own);
  if (written === false) return undefined;
  if (typeof written === 'string') return resolve(folder, written);
  if (xdg && isAbsolute(xdg)) return join(xdg, 'onemcp');
  return home ? join(home, '.local/state/onemcp') : undefined;
}

/** The same for the text of a file that may be broken in any way, or missing: what cannot be read counts as not written. */
export function stateDirOfText(file: string, text: string | undefined, env: Env): string | undefined {
  const root = text === undefined ? undefined : (parseDocument(text).document?.value as { gateway?: { stateDir?: unknown } } | null);
  return stateDirOf({ written: root?.gateway?.stateDir, folder: dirname(file), env });
}
