import { type OnemcpError, stderrOf } from '../errors.ts';
import type { BackendState, BackendView, World } from '../world.ts';

/** A state that a backend, or its successor, came into. */
export interface Transition {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Undefined: it appeared. */
  readonly from: BackendState | undefined;
  /** Undefined: it is no longer configured. */
  readonly to: BackendState | undefined;
  readonly generation: number;
  /** It is that of the successor of a backend that goes on meanwhile. */
  readonly successor?: true;
  /** What was wrong, for a failure. Redacted. */
  readonly error?: string;
  readonly exitCode?: number;
  readonly signal?: string;
}

/** What is remembered of one backend. */
export interface Story {
  /** Oldest first. */
  readonly path: readonly Transition[];
  /** Transitions so far, with those that were forgotten. */
  readonly changes: number;
  /** Last lines of stderr at its last failure. Redacted. */
  readonly stderr: string | undefined;
  /** Milliseconds since the epoch of the last failure. */
  readonly failedAt: number | undefined;
}

export type Stories = ReadonlyMap<string, Story>;

export interface StoryOptions {
  /** Transitions of one backend that are kept. */
  readonly most: number;
  readonly redact: (text: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const NOTHING: Story = { path: [], changes: 0, stderr: undefined, failedAt: undefined };
/** Backends that are no longer configured and are remembered nevertheless. */
const REMOVED_MOST = 32;
const STDERR_LINES = 20;
const STDERR_CHARACTERS = 8 * 1024;

/** Pure: what is known after the World has changed. */
export function remember(stories: Stories, [before, after]: readonly [World | undefined, World], options: StoryOptions): Stories {
  if (before?.backends === after.backends) return stories;
  const next = new Map(stories);
  for (const [name, view] of after.backends) {
    const known = before?.backends.get(name);
    if (known === view) continue;
    const added = [...changeOf(known, view, options.redact), ...successorChange(known, view, options.redact)];
    if (added.length === 0) continue;
    const failed = failedAnew(known, view) ? failure(known, view, options.redact) : {};
    next.set(name, { ...appended(next.get(name), added, options.most), ...failed });
  }
  for (const [name, view] of before?.backends ?? []) {
    if (after.backends.has(name)) continue;
    const removed: Transition = { at: options.now(), from: view.state, to: undefined, generation: view.generation };
    const story = appended(next.get(name), [removed], options.most);
    // To the end, so that the oldest is forgotten first.
    next.delete(name);
    next.set(name, story);
  }
  const gone = [...next.keys()].filter((name) => !after.backends.has(name));
  for (const name of gone.slice(0, Math.max(0, gone.length - REMOVED_MOST))) next.delete(name);
  return next;
}

const appended = (story: Story = NOTHING, added: readonly Transition[], most: number): Story => ({
  ...story,
  path: most === 0 ? [] : [...story.path, ...added].slice(-most),
  changes: story.changes + added.length,
});

/** Each failure has an error of its own. One that came back has left its failures behind. */
const failedAnew = (known: BackendView | undefined, { state, lastError }: BackendView): boolean =>
  lastError !== undefined && state !== 'connected' && known?.lastError !== lastError;

function changeOf(known: BackendView | undefined, view: BackendView, redact: StoryOptions['redact']): readonly Transition[] {
  if (known?.state === view.state && known.generation === view.generation) return [];
  const failed = failedAnew(known, view);
  return [
    {
      at: view.since,
      from: known?.state,
      to: view.state,
      generation: view.generation,
      ...(failed && view.lastError && facts(view.lastError, redact)),
    },
  ];
}

function successorChange(known: BackendView | undefined, view: BackendView, redact: StoryOptions['redact']): readonly Transition[] {
  const [before, after] = [known?.next, view.next];
  if (!after || (before?.state === after.state && before.generation === after.generation)) return [];
  const from = before?.generation === after.generation ? before.state : undefined;
  const failed = before?.lastError !== after.lastError;
  return [
    {
      at: after.since,
      from,
      to: after.state,
      generation: after.generation,
      successor: true,
      ...(failed && after.lastError && facts(after.lastError, redact)),
    },
  ];
}

/** What an error says about the end of a program. */
export function facts({ message, data }: OnemcpError, redact: (text: string) => string) {
  const { exitCode, signal } = data ?? {};
  return {
    error: redact(message),
    ...(typeof exitCode === 'number' && { exitCode }),
    ...(typeof signal === 'string' && { signal }),
  };
}

/** A session that was given up is asked for its stderr while we still know it; a program that ended left it in its error. */
function failure(known: BackendView | undefined, view: BackendView, redact: StoryOptions['redact']): Partial<Story> {
  const tail = (view.lastError && stderrOf(view.lastError)) || known?.session?.stderrTail;
  return { failedAt: view.since, stderr: tail ? redact(lastLines(tail)) : undefined };
}

/** The end of what a program wrote to stderr. */
export const lastLines = (tail: string): string => tail.trimEnd().split('\n').slice(-STDERR_LINES).join('\n').slice(-STDERR_CHARACTERS);
