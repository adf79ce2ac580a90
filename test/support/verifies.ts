import type { PromiseId } from '../promises.ts';

/**
 * The title of a test that proves promises of `test/promises.ts`: `it(verifies('C43', 'cuts long names'), …)`.
 * `test/coverage.test.ts` looks for calls with literal ids.
 */
export function verifies(ids: PromiseId | readonly PromiseId[], title: string): string {
  return `[${[ids].flat().join(' ')}] ${title}`;
}
