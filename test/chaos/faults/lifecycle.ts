/** Backends and their children that do not want to end, and those that end without being asked. */
import { fixture } from '../../e2e/gateway.ts';
import type { Fault } from '../harness/fault.ts';

const STUBBORN: readonly Fault[] = [
  { name: 'ignore-sigterm', backend: fixture('ignores-sigterm'), after: 'usable' },
  { name: 'fork-grandchild', backend: fixture('forks-children'), after: 'usable' },
  { name: 'daemon-grandchild', backend: fixture('daemon-grandchild'), after: 'usable' },
  {
    name: 'three-stubborn',
    backend: fixture('ignores-sigterm'),
    beside: { second: fixture('ignores-sigterm'), third: fixture('forks-children') },
    after: 'usable',
  },
];

export const LIFECYCLE: readonly Fault[] = [
  ...STUBBORN,
  ...STUBBORN.map((fault) => ({ ...fault, name: `kill9 ${fault.name}`, kill: true })),
];
