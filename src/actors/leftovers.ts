/** What of the connections of one backend or instance is still being started or ended, by what `idOf` says of it. */
export interface Leftovers {
  /** Counts until it has settled, however. */
  add(id: string, generation: number, work: Promise<unknown>): void;
  /** Resolves when nothing is left of a generation, nor of those before it, unless it lives beside them. */
  gone(id: string, up: { readonly generation: number; readonly beside: boolean }): Promise<void>;
}

interface Leftover {
  readonly generation: number;
  readonly work: Promise<unknown>;
}

/** A successor starts beside its predecessor, so that there may be several of one id; neither waits for the other. */
export function createLeftovers(): Leftovers {
  const left = new Map<string, readonly Leftover[]>();
  const drop = (id: string, leftover: Leftover) => {
    const others = (left.get(id) ?? []).filter((other) => other !== leftover);
    if (others.length > 0) left.set(id, others);
    else left.delete(id);
  };
  return {
    add(id, generation, work) {
      const leftover = { generation, work };
      left.set(id, [...(left.get(id) ?? []), leftover]);
      const settled = () => drop(id, leftover);
      work.then(settled, settled);
    },
    async gone(id, { generation, beside }) {
      const own = () => (left.get(id) ?? []).filter((other) => (beside ? other.generation === generation : other.generation <= generation));
      for (let works = own(); works.length > 0; works = own()) await Promise.allSettled(works.map(({ work }) => work));
    },
  };
}
