/** The last lines that backends wrote to stderr, for `onemcp logs`. */

export interface StderrLine {
  /** Counts all lines of all backends from 1, so that a reader knows what is new. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly backend: string;
  readonly line: string;
}

export interface StderrBookOptions {
  /** Kept of each backend. */
  readonly lines: number;
  /** Characters kept of each backend. */
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface StderrBook {
  /** Takes a line as it was written: it is redacted when somebody reads it. */
  readonly add: (backend: string, line: string) => void;
  /** The newest `most` lines after `after`, in their order, of one backend if it is named; and the number of the newest line of all. */
  read(query: { readonly backend?: string | undefined; readonly after: number; readonly most: number }): {
    readonly last: number;
    readonly lines: readonly StderrLine[];
  };
}

interface Ring {
  lines: StderrLine[];
  size: number;
}

/** Forgets the oldest lines of a backend first; those of a backend that is gone stay until the gateway ends. */
export function createStderrBook({ lines: most, bytes, now }: StderrBookOptions): StderrBook {
  const rings = new Map<string, Ring>();
  let seq = 0;

  /** Twice as much is let in before the old is cut away: a copy for each line would be dear. */
  const trim = (ring: Ring, slack: number) => {
    if (ring.lines.length <= most * slack && ring.size <= bytes * slack) return;
    let drop = Math.max(0, ring.lines.length - most);
    let size = ring.lines.slice(drop).reduce((sum, { line }) => sum + line.length, 0);
    while (size > bytes && drop < ring.lines.length - 1) size -= (ring.lines[drop++] as StderrLine).line.length;
    ring.lines = ring.lines.slice(drop);
    ring.size = size;
  };

  return {
    add(backend, line) {
      let ring = rings.get(backend);
      if (!ring) rings.set(backend, (ring = { lines: [], size: 0 }));
      ring.lines.push({ seq: ++seq, at: now(), backend, line });
      ring.size += line.length;
      trim(ring, 2);
    },
    read({ backend, after, most: wanted }) {
      const asked = backend === undefined ? [...rings.values()] : [rings.get(backend)].filter((ring) => ring !== undefined);
      for (const ring of asked) trim(ring, 1);
      const found = asked.flatMap(({ lines }) => lines.filter((line) => line.seq > after));
      found.sort((a, b) => a.seq - b.seq);
      return { last: seq, lines: wanted < found.length ? found.slice(found.length - wanted) : found };
    },
  };
}
