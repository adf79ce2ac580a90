import { isDeepStrictEqual } from 'node:util';
import type { Observable } from 'rxjs';
import { type BackendView, type Items, KINDS, type World } from '../world.ts';
import type { Log } from './log.ts';

/** A backend of which something is known: its abilities, and with them its lists. */
export interface KnownView extends BackendView {
  readonly info: NonNullable<BackendView['info']>;
}

export interface RememberOptions {
  /** Milliseconds from a change until it is written, see `catalog.saveDelay` in limits.ts. */
  readonly delay: number;
  /** Writes what is known of all backends. Rejects when it cannot be written. */
  readonly save: (known: readonly KnownView[]) => Promise<void>;
  readonly log: Log;
  /** Milliseconds until a write that failed is tried again. */
  readonly retry?: number;
}

export interface Remembering {
  /** Why what is known cannot be written, in a sentence for operators; nothing when it can. */
  readonly problems: () => readonly string[];
  /** Writes what is not written yet, and no more after that. Never rejects. */
  close(): Promise<void>;
}

const RETRY = 30_000;

/**
 * Has the lists of all backends written some time after they changed. What was remembered and came back equal is written
 * already. A state folder that cannot be written costs the next start its lists, and this run nothing.
 */
export function remember(world$: Observable<World>, { delay, save, log, retry = RETRY }: RememberOptions): Remembering {
  let latest: World['backends'] = new Map();
  let saved: Written | undefined;
  let problem: string | undefined;
  let saving = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const schedule = (ms: number) => {
    timer ??= setTimeout(() => {
      timer = undefined;
      saving = saving.then(write);
    }, ms).unref();
  };

  const write = async () => {
    if (!saved || (problem === undefined && isWritten(latest, saved))) return;
    const known = [...latest.values()].filter(isKnown);
    try {
      await save(known);
      saved = written(known);
      if (problem !== undefined) log('info', 'catalog.saved', { message: 'the lists of the servers are kept for the next start again' });
      problem = undefined;
    } catch (error) {
      if (problem === undefined)
        log('warn', 'catalog.unsaved', { message: `${UNSAVED}: ${(error as Error).message}`, code: codeOf(error) });
      problem = sentence(error);
      schedule(retry);
    }
  };

  const subscription = world$.subscribe(({ backends }) => {
    if (backends === latest) return;
    latest = backends;
    // What is known before anything runs comes from where it would be written to.
    saved ??= written(backends.values());
    if (!isWritten(latest, saved)) schedule(delay);
  });

  return {
    problems: () => (problem === undefined ? [] : [problem]),
    async close() {
      subscription.unsubscribe();
      await saving;
      await write();
      clearTimeout(timer);
    },
  };
}

/** Of each known backend what is written; views themselves would keep their sessions alive. */
type Written = ReadonlyMap<string, Pick<KnownView, 'items' | 'info'>>;

const isKnown = (view: BackendView): view is KnownView => view.info !== undefined;

const written = (views: Iterable<BackendView>): Written =>
  new Map([...views].filter(isKnown).map(({ name, items, info }) => [name, { items, info }]));

function isWritten(latest: World['backends'], saved: Written): boolean {
  for (const { name, items, info } of latest.values()) {
    const known = saved.get(name);
    if (info && !(known && sameLists(known.items, items) && isDeepStrictEqual(known.info, info))) return false;
  }
  for (const name of saved.keys()) if (!latest.has(name)) return false;
  return true;
}

/** Equal lists keep their identity. */
const sameLists = (a: Items, b: Items): boolean => KINDS.every((kind) => a[kind] === b[kind]);

const UNSAVED = 'the lists of the servers cannot be kept for the next start';

/** Operators see it in the health document, which says nothing of paths. */
const sentence = (error: unknown): string =>
  `${UNSAVED} (${codeOf(error) ?? 'unexpected error'}): make room in the state folder, or make it writable, or choose another with gateway.stateDir`;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
