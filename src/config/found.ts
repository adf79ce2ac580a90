/** What was found outside the file, before it is checked. Pure types. */
import type { Found, FoundBy, Issue } from './config.ts';
import type { Problem } from './issue.ts';

export interface FoundServer extends Found {
  /** `conf.d`, or a source that others can write to. */
  readonly source: string;
  /**
   * Present for an entry of a file of ours: a problem with its place in it. Where it is missing, strangers may have written
   * the entry.
   */
  readonly issueOf?: (problem: Problem) => Issue;
}

/** What each file said when it was last right, by its absolute path. Whoever reads more than once keeps it. */
export type KeptFiles = Map<string, readonly FoundServer[]>;

/** What is known outside of the file. */
export interface Outside {
  /** What the sources that are watched have now; default: they are not looked at. */
  readonly found?: readonly FoundBy[];
  /** What the files of `conf.d` said before. */
  readonly kept?: KeptFiles;
}
