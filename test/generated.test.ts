import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generated } from '../scripts/generated.ts';

it.each(generated.map(({ file, content }) => [file, content] as const))('%s is fresh (npm run generate)', async (file, content) => {
  expect(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')).toBe(await content());
});
