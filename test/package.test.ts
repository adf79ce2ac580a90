import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';

const TYPES = join(import.meta.dirname, '../dist/types');

/** What a file of types and everything it refers to imports from elsewhere, each with the file that does. */
function foreignImports(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].flatMap(([, name = '']) => {
    if (name.startsWith('.')) return foreignImports(normalize(join(dirname(file), name.replace(/\.(ts|js)$/, '.d.ts'))), seen);
    return name.startsWith('node:') ? [] : [`${file.slice(TYPES.length + 1)}: ${name}`];
  });
}

it.skipIf(!existsSync(TYPES))('the types of the package need no other package: who installs it installs nothing else', () => {
  const seen = new Set<string>();
  expect(foreignImports(join(TYPES, 'index.d.ts'), seen)).toEqual([]);
  expect(seen.size).toBeGreaterThan(5);
});
