import { defineConfig } from 'vitest/config';

// Tests of pure functions, beside what they test. Those in a browser are in browser/.
export default defineConfig({ test: { include: ['src/**/*.test.ts'] } });
