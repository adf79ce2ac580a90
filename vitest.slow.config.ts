import { defineConfig } from 'vitest/config';

/** Suites that install packages or drive a browser: run by `.ci/run`, after the fast ones. */
export default defineConfig({
  test: {
    include: ['test/slow/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 120_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
