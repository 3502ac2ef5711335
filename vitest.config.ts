import { defineConfig } from 'vitest/config';

/**
 * Two projects: `unit` (everything beside its source: fast, no servers but those a suite starts itself) and
 * `integration` (real processes over a real nats-server, one file at a time because they share two cores).
 */
const resolve = { conditions: ['@armature/source', 'node', 'import', 'default'] };

export default defineConfig({
  resolve,
  ssr: { resolve },
  test: {
    maxWorkers: '100%', // of the cores; by default one is left idle, which on two of them is half
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'apps/*/src/**/*.test.ts',
            'tools/**/*.test.ts',
            'examples/*/src/**/*.test.ts',
            'test/house/**/*.test.ts',
            'test/simulation/**/*.test.ts',
          ],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/integration/build.setup.ts'],
          env: { ARMATURE_PROGRAMS: 'built' },
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
