/** The fragments of the guide one can run, each with an id; `guide.test.ts` has them all proved by tests that name it with `runs`. */
import { createHash } from 'node:crypto';
import { BLOCKS } from './blocks.ts';

export interface Fragment {
  readonly section: string;
  readonly block: keyof typeof BLOCKS;
  readonly text: string;
}

const linesOf = (block: keyof typeof BLOCKS) => BLOCKS[block].text.split('\n');

/** From the line that begins with this, to the one that begins with that, exclusive; default: to the end. */
function cut(block: keyof typeof BLOCKS, from: string, to?: string): string {
  const lines = linesOf(block);
  const first = lines.findIndex((line) => line.startsWith(from));
  const last = to === undefined ? lines.length : lines.findIndex((line, index) => index > first && line.startsWith(to));
  if (first < 0 || last < 0) throw new Error(`the block ${block} has no ${from} to ${to}`);
  return lines.slice(first, last).join('\n');
}

const of = (section: string, block: keyof typeof BLOCKS, [from, to]: readonly [from: string, to?: string]): Fragment => ({
  section,
  block,
  text: cut(block, from, to),
});

const LOADING = 'asynchronous loading';
const SECURITY = 'security log';
const HEALTH = 'health and observability';
const CONFIG = 'configuration';

export const FRAGMENTS = {
  'async-flag': of(LOADING, 'async', ['npx', '#']),
  'async-variable': of(LOADING, 'async', ['export']),
  'log-validation': of(SECURITY, 'security', ['INFO: Scope operation: scope_validation_success', '#']),
  'log-granted': of(SECURITY, 'security', ['INFO: Scope operation: authorization_granted']),
  health: of(HEALTH, 'endpoints', ['GET /health', '#']),
  live: of(HEALTH, 'endpoints', ['GET /health/live', '#']),
  ready: of(HEALTH, 'endpoints', ['GET /health/ready']),
  document: of(HEALTH, 'health', ['{']),
  probes: of(HEALTH, 'integration', ['livenessProbe:', '#']),
  healthcheck: of(HEALTH, 'integration', ['healthcheck:']),
  hierarchy: of(CONFIG, 'hierarchy', ['1.']),
  secrets: of(CONFIG, 'secrets', ['{']),
} as const satisfies Record<string, Fragment>;

export type FragmentId = keyof typeof FRAGMENTS;

/** The title of a test that runs fragments. `guide.test.ts` looks for calls with literal ids. */
export const runs = (ids: FragmentId | readonly FragmentId[], title: string): string => `<${[ids].flat().join(' ')}> ${title}`;

/** The text of a fragment. */
export const textOf = (id: FragmentId): string => FRAGMENTS[id].text;

/** SHA-256 of the lines without the white space they begin with. */
export const hashOf = (text: string): string =>
  createHash('sha256')
    .update(text.replaceAll(/^[ \t]+/gm, ''))
    .digest('hex');
