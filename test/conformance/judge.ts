/** Decides whether a run of a scenario passed, and whether that was expected. */
import type { Run } from './suite.ts';

export interface Verdict {
  readonly passed: boolean;
  /** Checks that succeeded, of those that succeeded, failed or have to succeed. */
  readonly score: string;
  /** What went wrong, one sentence each. */
  readonly why: readonly string[];
}

/** Strict: the suite is content, nothing failed, nothing is a warning, and every check that makes the scenario succeeded. */
export function judge({ exitCode, checks, output }: Run, required: readonly string[]): Verdict {
  const succeeded = checks.filter(({ status }) => status === 'SUCCESS');
  const bad = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
  const missing = required.filter((id) => !succeeded.some((check) => check.id === id) && !bad.some((check) => check.id === id));
  const why = [
    ...bad.map(({ id, status, errorMessage, description }) => `${status} ${id}: ${errorMessage ?? description}`),
    ...missing.map((id) => `${id} was not checked`),
  ];
  if (exitCode !== 0 && why.length === 0) why.push(`the suite ended with ${exitCode}`);
  if (why.length > 0 && output !== '') why.push(...output.trimEnd().split('\n').slice(-15));
  return { passed: why.length === 0, score: `${succeeded.length}/${succeeded.length + bad.length + missing.length}`, why };
}

/** What may fail: `leg scenario` → why. */
export type Expected = ReadonlyMap<string, string>;

/**
 * Reads lines of the form `leg scenario: reason`; lines with `#` are comments. Throws for a line without a reason, for one that stands
 * there twice, and for one that names nothing that is run.
 */
export function parseExpected(text: string, rows: ReadonlySet<string>): Expected {
  const expected = new Map<string, string>();
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, row, reason] = /^(\S+ [^\s:]+):\s+(\S.*)$/.exec(line) ?? [];
    if (row === undefined || reason === undefined) throw new Error(`expected failure without a reason: ${line}`);
    if (!rows.has(row)) throw new Error(`expected failure of something that is not run: ${line}`);
    if (expected.has(row)) throw new Error(`expected failure named twice: ${line}`);
    expected.set(row, reason);
  }
  return expected;
}

/** Throws unless a verdict is as expected: an unexpected failure, or a pass that was expected to fail. */
export function settle(row: string, { passed, why }: Verdict, expected: Expected): void {
  const reason = expected.get(row);
  if (!passed && reason === undefined) throw new Error(`${row}\n${why.map((each) => `  ${each}`).join('\n')}`);
  if (passed && reason !== undefined) throw new Error(`${row} passes now: take its line out of expected-failures.txt (${reason})`);
}
