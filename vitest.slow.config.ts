import { defineConfig } from 'vitest/config';

/** Suites that install packages, drive a browser or run the official conformance suite: run by `.ci/run`, after the fast ones. */
export default defineConfig({
  test: {
    include: [
      'test/slow/**/*.test.ts',
      'test/differential/*.slow.ts',
      'test/conformance/*.slow.ts',
      'test/clients/*.slow.ts',
      'test/chaos/*.slow.ts',
    ],
    testTimeout: 600_000,
    hookTimeout: 120_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
