import { it } from 'vitest';
import { fuzz } from './fuzz.ts';

it.each([
  { carrier: 'stdio', naming: 'never', seed: 101 },
  { carrier: 'stdio', naming: 'always', seed: 102 },
  { carrier: 'http', naming: 'never', seed: 103 },
  { carrier: 'http', naming: 'always', seed: 104 },
] as const)('$carrier, prefix $naming: 10,000 random messages lose nothing', ({ seed, ...front }) =>
  fuzz(front, { seed, messages: 10_000 }),
);
