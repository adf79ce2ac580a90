/** The sources of servers that are watched: which there are, what each has found, and what is wrong with it. */
import type { DiscoverySettings, Found, FoundBy } from '../../config/config.ts';
import type { DiscoverySource } from './discovery.ts';

/** Milliseconds. */
export interface RetryDelays {
  readonly initial: number;
  readonly max: number;
}

/** What a source is made with. */
export interface SourcePorts {
  readonly retry: RetryDelays;
  /** Something is meant to be a server, but cannot be used. `why` completes a sentence that begins with `place`. */
  readonly onSkip: (place: string, why: string) => void;
}

/** A kind of source. */
export interface SourceKind {
  readonly name: string;
  /** Undefined: it is not wanted. */
  readonly of: (settings: DiscoverySettings, ports: SourcePorts) => Wanted | undefined;
}

interface Wanted {
  /** What is said of it; while that is the same, it goes on. */
  readonly options: object;
  /** Loads and makes it. */
  readonly open: () => Promise<DiscoverySource>;
}

/** Every kind, those that win first. A new one is one file and one row here. */
const KINDS: readonly SourceKind[] = [
  {
    name: 'docker',
    of: ({ docker }, ports) =>
      docker && { options: docker, open: async () => (await import('./docker.ts')).createDockerSource({ ...docker, ...ports }) },
  },
  {
    name: 'kubernetes',
    of: ({ kubernetes }, ports) =>
      kubernetes && {
        options: kubernetes,
        open: async () => (await import('./kubernetes.ts')).createKubernetesSource({ ...kubernetes, ...ports }),
      },
  },
];

export interface FollowOptions {
  readonly retry: RetryDelays;
  /** Longest time in milliseconds to wait for the first answer of sources that are new. */
  readonly wait: number;
}

/** All sources of one gateway. */
export interface Discovery {
  /** What is known now. */
  found(): readonly FoundBy[];
  /**
   * Starts what is wanted and ends what is not; what is watched already goes on. Resolves when each new one has said something,
   * with whether there is anything new.
   */
  follow(settings: DiscoverySettings | undefined, options: FollowOptions): Promise<boolean>;
  /** Calls back when what is known changes; returns what ends all sources. */
  subscribe(onChange: () => void): () => void;
}

interface Start extends Pick<Wanted, 'open'> {
  readonly key: string;
  /** What is known already. */
  readonly servers: readonly Found[];
}

interface Watched {
  readonly key: string;
  readonly end: () => void;
  readonly answered: Promise<void>;
  state: FoundBy;
}

export interface DiscoveryOptions {
  /** A sentence about something that is meant to be a server, but cannot be used; once for each reason. */
  readonly onSkip?: (sentence: string) => void;
  readonly kinds?: readonly SourceKind[];
}

export function createDiscovery({ onSkip = () => {}, kinds = KINDS }: DiscoveryOptions = {}): Discovery {
  const watched = new Map<string, Watched>();
  let listener: (() => void) | undefined;
  let version = 0;
  /** The version that was given out last. */
  let given = 0;
  let closed = false;

  const start = (source: string, { key, open, servers }: Start): Watched => {
    let ended = false;
    let stop = () => {};
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const tell = (news: Partial<FoundBy>) => {
      if (ended) return;
      const next = { ...own.state, isWaiting: false, ...news };
      if (JSON.stringify(next) !== JSON.stringify(own.state)) {
        own.state = next;
        version++;
        listener?.();
      }
      answer();
    };
    const own: Watched = {
      key,
      answered,
      state: { source, servers, isWaiting: true },
      end() {
        ended = true;
        answer();
        stop();
      },
    };
    const run = async () => {
      const opened = await open();
      if (ended) return;
      stop = opened.watch({
        onFound: (found) => tell({ servers: inOrder(found), problem: undefined }),
        onProblem: (problem) => {
          // Without an answer there is no news in it.
          if (problem !== undefined || !own.state.isWaiting) tell({ problem });
        },
      });
    };
    run().catch((error: unknown) => tell({ problem: `it cannot be started: ${(error as Error).message}` }));
    return own;
  };

  return {
    found() {
      given = version;
      return [...watched.values()].map(({ state }) => state);
    },
    async follow(settings, { retry, wait }) {
      const fresh: Watched[] = [];
      for (const kind of closed ? [] : kinds) {
        const before = watched.get(kind.name);
        const ports = { retry, onSkip: (place: string, why: string) => onSkip(`${kind.name}: ${place} ${why}`) };
        const wanted = settings && kind.of(settings, ports);
        const key = wanted && JSON.stringify([wanted.options, retry]);
        if (before?.key === key) continue;
        before?.end();
        watched.delete(kind.name);
        version++;
        if (!wanted || key === undefined) continue;
        // What was found last stays until the new one has looked.
        const next = start(kind.name, { key, open: wanted.open, servers: before?.state.servers ?? [] });
        watched.set(kind.name, next);
        fresh.push(next);
      }
      if (fresh.length > 0 && wait > 0) await within(wait, Promise.all(fresh.map(({ answered }) => answered)));
      return version !== given;
    },
    subscribe(onChange) {
      listener = onChange;
      if (version !== given) onChange();
      return () => {
        closed = true;
        listener = undefined;
        for (const { end } of watched.values()) end();
        watched.clear();
      };
    },
  };
}

/** Two that look at the same time come in the same order. */
const inOrder = (found: readonly Found[]): readonly Found[] =>
  [...found].sort((a, b) => compare(a.name, b.name) || compare(a.place, b.place));
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
