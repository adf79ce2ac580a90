import { readFileSync } from 'node:fs';
import { defineConfig } from 'rolldown';

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string };

/** What @statelyai/inspect imports for transports that we do not use. */
const UNUSED = /node_modules\/(ws|isomorphic-ws|partysocket|superjson|copy-anything|is-what|fast-safe-stringify)\//;

/** One self-contained bundle: each command is a lazy chunk, so `--version` loads almost nothing. */
export default defineConfig({
  input: { main: 'src/main.ts', index: 'src/index.ts' },
  platform: 'node',
  resolve: { mainFields: ['module', 'main'], conditionNames: ['import', 'node', 'default'] },
  transform: { define: { __VERSION__: JSON.stringify(version), 'process.env.NODE_ENV': '"production"' } },
  treeshake: { moduleSideEffects: [{ test: UNUSED, sideEffects: false }] },
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    cleanDir: true,
    // Names stay, so that a stack trace of a bug report can be read.
    minify: { mangle: false, compress: true, codegen: { removeWhitespace: true } },
  },
});
