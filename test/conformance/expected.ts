/** The file of expected failures, checked against everything that is run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FRONTS } from './fronts.ts';
import { type Expected, parseExpected } from './judge.ts';
import { LEGS } from './legs.ts';
import { CLIENT_SCENARIOS } from './scenarios.ts';

const rows = [
  ...LEGS.flatMap(({ name, scenarios }) => Object.keys(scenarios).map((scenario) => `${name} ${scenario}`)),
  ...FRONTS.flatMap((front) => Object.keys(CLIENT_SCENARIOS).map((scenario) => `${front} ${scenario}`)),
];

export const readExpected = (): Expected =>
  parseExpected(readFileSync(join(import.meta.dirname, 'expected-failures.txt'), 'utf8'), new Set(rows));
