import type { Limits } from '../limits.ts';
import type { Fillings } from './fillings.ts';
import type { Findings, Path } from './issue.ts';
import type { ServerShape } from './schema.ts';

/** One entry of `mcpServers` with everything needed to normalise it. */
export interface Entry {
  readonly name: string;
  /** What of the entry has the right shape. */
  readonly shape: ServerShape;
  /** Keys that are written in the file, whether or not their values have the right shape. */
  readonly written: ReadonlySet<string>;
  readonly path: Path;
  /** Why it is not used; undefined: it is. */
  readonly off?: string | undefined;
}

/** What the checks of an entry work with. */
export interface Desk extends Findings {
  readonly fillings: Fillings;
  readonly limits: Limits;
  /** Folder of the file, absolute. */
  readonly folder: string;
}
