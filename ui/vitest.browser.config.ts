import { defineConfig } from 'vitest/config';

// The pages in a real Chromium, on a real collector with real spans. One file after the other: each has both to itself.
export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
