/** What of a connection is still being started or ended, by what `idOf` says of it. */
export interface Leftovers {
  /** Counts until it has settled, however. */
  add(id: string, work: Promise<unknown>): void;
  /** Resolves when nothing is left. */
  gone(id: string): Promise<void>;
}

/** Two generations may start at once (a successor beside its predecessor), so that there may be several of one id. */
export function createLeftovers(): Leftovers {
  const left = new Map<string, Set<Promise<unknown>>>();
  return {
    add(id, work) {
      const own = left.get(id) ?? new Set();
      left.set(id, own.add(work));
      const settled = () => {
        own.delete(work);
        if (own.size === 0 && left.get(id) === own) left.delete(id);
      };
      work.then(settled, settled);
    },
    async gone(id) {
      for (let own = left.get(id); own; own = left.get(id)) await Promise.allSettled(own);
    },
  };
}
