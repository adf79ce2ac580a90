/** The build stage of the Dockerfile, line by line, on the files of its build context alone. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { isInContext } from '../deploy/dockerfile.ts';
import { ROOT, read, stage } from '../deploy/layout.ts';

const context = mkdtempSync(join(tmpdir(), 'onemcp-context-'));
const src = mkdtempSync(join(tmpdir(), 'onemcp-src-'));
afterAll(() => {
  for (const folder of [context, src]) rmSync(folder, { recursive: true, force: true });
});

const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|TEST$|CI$)/i.test(name)));

it('the image can be built from what the build context holds', () => {
  const ignored = read('.dockerignore');
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files.filter((path) => isInContext(ignored, path))) {
    mkdirSync(dirname(join(context, file)), { recursive: true });
    cpSync(join(ROOT, file), join(context, file));
  }
  for (const { name, text } of stage('build').instructions) {
    if (name === 'COPY') {
      const words = text.split(/\s+/);
      const target = words.at(-1) as string;
      for (const source of words.slice(0, -1)) {
        const to = target.endsWith('/') ? join(src, target, basename(source)) : join(src, target);
        cpSync(join(context, source), to, { recursive: true });
      }
    } else if (name === 'RUN') {
      const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', text], { cwd: src, env, encoding: 'utf8', maxBuffer: 64e6 });
      expect(status, `${text}\n${stdout}\n${stderr}`).toBe(0);
    }
  }
  expect(statSync(join(src, 'dist/main.js')).size).toBeGreaterThan(100);
  const version = spawnSync(process.execPath, [join(src, 'dist/main.js'), '--version'], { encoding: 'utf8' });
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  // What the demo stage starts.
  expect(existsSync(join(src, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'))).toBe(true);
});
