/** The text of `/metrics`, of a World and facts that a test makes up. */
import { type Facts, samplesOf } from '../../src/observe/metrics.ts';
import { createRegistry } from '../../src/observe/registry.ts';
import type { World } from '../../src/world.ts';
import { type Exposition, parseExposition } from './exposition.ts';

export const NO_FACTS: Facts = {
  version: '1.2.3',
  nodeVersion: '20.0.0',
  sessions: 0,
  eventStreams: 0,
  hasProblems: false,
  calls: () => undefined,
  unrouted: undefined,
  transport: () => 'stdio',
  announced: { tools: 0, prompts: 0, resources: 0 },
  tally: {
    reloads: { applied: 0, unchanged: 0, rejected: 0 },
    coalesced: { tools: 0, prompts: 0, resources: 0 },
    unreadClosed: 0,
    restarts: () => 0,
  },
};

export async function exposed(world: World, facts: Partial<Facts> = {}): Promise<Exposition & { readonly text: string }> {
  const { text } = await createRegistry(() => samplesOf(world, { ...NO_FACTS, ...facts }))();
  return { ...parseExposition(text), text };
}
