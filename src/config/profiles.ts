/** Profiles, with the meaning they have in Docker Compose: an entry that names some runs only while one of them is active. Pure. */
import type { Entry } from './entry.ts';
import type { Problem } from './issue.ts';
import { nearest } from './suggest.ts';

/** A name of a profile. */
export const PROFILE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** As an active profile it stands for all. */
export const ALL_PROFILES = '*';

/** Why an entry with these profiles does not run; undefined if it does. One without profiles always does. */
export function inactive(profiles: readonly string[] = [], active: readonly string[]): string | undefined {
  if (profiles.length === 0 || active.includes(ALL_PROFILES) || profiles.some((profile) => active.includes(profile))) return undefined;
  const [only] = profiles;
  return profiles.length === 1 ? `profile ${only} is not active` : `none of its profiles is active: ${profiles.join(', ')}`;
}

/** Entries that are off by their profile know why. */
export const withProfiles = <T extends Entry>(entries: readonly T[], active: readonly string[]): readonly (T & Pick<Entry, 'off'>)[] =>
  entries.map((entry) => ({ ...entry, off: entry.shape.disabled ? 'it is disabled' : inactive(entry.shape.profiles, active) }));

/** Active profiles that no entry has: most likely somebody waits for a server that will not come. */
export function unknownProfiles(entries: readonly Entry[], active: readonly string[]): readonly Problem[] {
  const known = [...new Set(entries.flatMap(({ shape }) => shape.profiles ?? []))];
  return active.flatMap((profile, index): Problem[] => {
    if (profile === ALL_PROFILES || known.includes(profile)) return [];
    const guess = nearest(profile, known);
    const there = known.length === 0 ? '' : `; there are ${known.join(', ')}`;
    const message = `no server has the profile ${JSON.stringify(profile)}${guess === undefined ? there : `, did you mean ${JSON.stringify(guess)}?`}`;
    return [{ path: ['gateway', 'profiles', index], at: 'value', message }];
  });
}
