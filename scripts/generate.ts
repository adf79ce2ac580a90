/** Writes the generated files; with `--check` it writes nothing and exits 1 when one is stale. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generated } from './generated.ts';

const check = process.argv.includes('--check');
const root = new URL('../', import.meta.url);

for (const { file, content } of generated) {
  const path = fileURLToPath(new URL(file, root));
  const wanted = await content();
  const current = await readFile(path, 'utf8').catch(() => undefined);
  if (current === wanted) continue;
  if (check) {
    console.error(`${file} is stale; run: npm run generate`);
    process.exitCode = 1;
  } else {
    await writeFile(path, wanted);
    console.error(`${file} written`);
  }
}
