import { it } from 'vitest';
import { fuzz } from './fuzz.ts';

it.each([
  { carrier: 'stdio', naming: 'never', seed: 1 },
  { carrier: 'stdio', naming: 'always', seed: 2 },
  { carrier: 'http', naming: 'never', seed: 3 },
  { carrier: 'http', naming: 'always', seed: 4 },
] as const)('$carrier, prefix $naming: 300 random messages lose nothing', { timeout: 120_000 }, ({ seed, ...front }) =>
  fuzz(front, { seed, messages: 300 }),
);
