/** Whether a figure that was taken again and again grows. Pure. */

export interface Sample {
  /** Milliseconds since the start. */
  readonly at: number;
  readonly value: number;
}

export interface Slope {
  /** Units an hour, by least squares over the last two thirds of the run. */
  readonly perHour: number;
  readonly first: number;
  readonly last: number;
  /** How much the line rises over what was looked at. */
  readonly rise: number;
  /** Standard deviation of the samples around the line. */
  readonly noise: number;
  readonly flat: boolean;
}

const HOUR = 3_600_000;

/**
 * Flat: over what was looked at the line rises by no more than `tolerance`, or by less than twice what the samples scatter around it.
 * The first third is not looked at: code is compiled and pools are filled.
 */
export function slopeOf(samples: readonly Sample[], tolerance: number): Slope {
  const late = samples.slice(Math.floor(samples.length / 3));
  const mean = (of: (sample: Sample) => number) => late.reduce((sum, sample) => sum + of(sample), 0) / Math.max(1, late.length);
  const [x, y] = [mean(({ at }) => at), mean(({ value }) => value)];
  const spread = late.reduce((sum, { at }) => sum + (at - x) ** 2, 0);
  const perMs = spread === 0 ? 0 : late.reduce((sum, { at, value }) => sum + (at - x) * (value - y), 0) / spread;
  const noise = Math.sqrt(late.reduce((sum, { at, value }) => sum + (value - y - perMs * (at - x)) ** 2, 0) / Math.max(1, late.length));
  const rise = perMs * ((late.at(-1)?.at ?? 0) - (late[0]?.at ?? 0));
  return {
    perHour: perMs * HOUR,
    first: late[0]?.value ?? 0,
    last: late.at(-1)?.value ?? 0,
    rise,
    noise,
    flat: rise <= tolerance || rise < 2 * noise,
  };
}
