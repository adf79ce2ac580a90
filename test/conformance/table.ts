/** A table of scenarios × legs, filled as the runs end. */
import type { Verdict } from './judge.ts';

export interface Table {
  add(leg: string, scenario: string, verdict: Verdict): void;
  toString(): string;
}

export function createTable(title: string, legs: readonly string[], scenarios: readonly string[]): Table {
  const cells = new Map<string, string>();
  const widths = legs.map((leg) => Math.max(leg.length, 'fail 0/0'.length));
  const first = Math.max(title.length, ...scenarios.map(({ length }) => length));
  const line = (head: string, rest: readonly string[]): string =>
    [head.padEnd(first), ...rest.map((cell, at) => cell.padEnd(widths[at] as number))].join('  ').trimEnd();
  return {
    add: (leg, scenario, { passed, score }) => void cells.set(`${leg} ${scenario}`, `${passed ? 'pass' : 'FAIL'} ${score}`),
    toString: () =>
      [
        line(title, legs),
        ...scenarios.map((name) =>
          line(
            name,
            legs.map((leg) => cells.get(`${leg} ${name}`) ?? '–'),
          ),
        ),
      ].join('\n'),
  };
}
