import { expect, test } from 'vitest';
import { json } from '@armature/client';
import { simulateApplication, type ApplicationOptions } from './simulate-application.js';

/** Everybody adds numbers of their own to one set; `told` are those that the cluster has acknowledged. */
function gathering(
  seed: number,
  merge: (sets: readonly number[][]) => number[],
): { options: ApplicationOptions; told: Set<number> } {
  const told = new Set<number>();
  let next = 0;
  const bucket = { codec: json<number[]>(), merge };
  const options: ApplicationOptions = {
    ...{ seed, durationMs: 10_000, buckets: { sets: { n: 2, r: 1, w: 1 } } },
    start({ client }) {
      return async () => {
        const mine = next++;
        await client.bucket('sets', bucket).update('all', (set = []) => [...set, mine]);
        told.add(mine);
      };
    },
    async check({ client }) {
      const found = new Set(
        await client
          .bucket('sets', bucket)
          .get('all', { r: 2 })
          .then((entry) => entry?.value),
      );
      const missing = [...told].filter((one) => !found.has(one));
      if (missing.length > 0) throw new Error(`missing: ${missing.join(' ')}`);
    },
  };
  return { options, told };
}

const union = (sets: readonly number[][]): number[] => [...new Set(sets.flat())].sort((a, b) => a - b);

test('what the application was told is there in the end, in a bucket of its own; the same seed is the same run', async () => {
  const { options, told } = gathering(3, union);
  const report = await simulateApplication(options);
  expect(report.violations).toEqual([]);
  expect(told.size).toBe(report.steps - report.failedSteps);
  expect(told.size).toBeGreaterThan(50);
  expect((await simulateApplication(gathering(3, union).options)).digest).toBe(report.digest);
});

test('a merge that drops values: the check of the application says what is missing', async () => {
  const largest = (sets: readonly number[][]): number[] =>
    sets.reduce((a, b) => (b.length > a.length || (b.length === a.length && b.join() > a.join()) ? b : a));
  const { violations } = await simulateApplication(gathering(3, largest).options);
  expect(violations).toEqual([expect.stringMatching(/^check: missing: \d/)]);
});

test('a step that breaks is a violation; one that the cluster refuses is not', async () => {
  const report = await simulateApplication({
    ...{ seed: 1, durationMs: 2_000, kinds: [], processes: 2 },
    start: ({ name, client }) => {
      if (name === 'app1') return () => Promise.reject(new TypeError('no such thing'));
      return () => client.bucket('nowhere').get('k');
    },
    check: () => undefined,
  });
  expect(report.failedSteps).toBe(report.steps);
  expect(report.violations.length).toBeGreaterThan(0);
  for (const violation of report.violations) expect(violation).toContain('app1: a step threw: TypeError: no such thing');
  expect(report.faults).toEqual([]);
});
