import { defineConfig } from 'vitest/config';

/**
 * `unit` is everything beside its source: fast, with no servers but those that a suite starts itself. Real processes over a real
 * nats-server are in two projects: `integration`, two files at a time, since they mostly wait; and `integration-alone`, one at a
 * time, of what happens within so many seconds or under load.
 */
const ALONE = ['chaos', 'faults-under-load', 'frozen-bus', 'large-values', 'pause', 'redis', 'wrong-clock'].map(
  (name) => `test/integration/${name}.test.ts`,
);
const PROCESSES = {
  globalSetup: ['test/integration/build.setup.ts'],
  env: { ARMATURE_PROGRAMS: 'built' },
  testTimeout: 120_000,
  hookTimeout: 120_000,
};
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
          ...PROCESSES,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { ...PROCESSES, name: 'integration-alone', include: ALONE, fileParallelism: false, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
