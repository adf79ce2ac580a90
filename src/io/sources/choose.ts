import type { Discovered } from './discovery.ts';

/** What is where; without a server, why it cannot be used. */
export type Candidate = Discovered | { readonly place: string; readonly why: string };

/** @param place for people; `why` completes a sentence that begins with it */
export type OnSkip = (place: string, why: string) => void;

/**
 * Those that can be used, by name; of several with one name the first. What is left out is told once, and again when the reason is
 * another one.
 */
export function createChooser(onSkip: OnSkip | undefined): (candidates: readonly Candidate[]) => readonly Discovered[] {
  let known: ReadonlyMap<string, string> = new Map();
  return (candidates) => {
    const chosen = new Map<string, Discovered>();
    const skipped = new Map<string, string>();
    for (const candidate of candidates) {
      const { place } = candidate;
      if ('why' in candidate) {
        skipped.set(place, candidate.why);
        continue;
      }
      const first = chosen.get(candidate.name);
      if (first) skipped.set(place, `has the same name as ${first.place}, "${candidate.name}", which is older`);
      else chosen.set(candidate.name, candidate);
    }
    for (const [place, why] of skipped) if (known.get(place) !== why) onSkip?.(place, why);
    known = skipped;
    return [...chosen.values()].sort((a, b) => compare(a.name, b.name));
  };
}

/** By code units: the same on every machine. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
