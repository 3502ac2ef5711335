import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Fault } from './fault.js';
import { shrink } from './shrink.js';

const fault = (atMs: number): Fault => ({ kind: 'kill', atMs, lastMs: 4_000, whom: ['n1'], degree: 0.5 });

test('what is left is what the failure needs, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.uniqueArray(fc.nat(39), { maxLength: 4 }), async (count, wanted) => {
      const needed = wanted.filter((at) => at < count);
      const schedule = Array.from({ length: count }, (_, at) => fault(at));
      const fails = async (candidate: readonly Fault[]): Promise<boolean> =>
        needed.every((at) => candidate.some(({ atMs }) => atMs === at));
      const { schedule: left } = await shrink(schedule, fails, 10_000);
      expect(left.map(({ atMs }) => atMs)).toEqual([...needed].sort((a, b) => a - b));
    }),
  );
});

test('faults become as short as the failure allows', async () => {
  const { schedule } = await shrink([fault(1)], async ([only]) => only !== undefined && only.lastMs >= 900);
  expect(schedule).toEqual([{ ...fault(1), lastMs: 1_000 }]);
});

test('it ends after as many runs as it may take, with something that fails', async () => {
  const schedule = Array.from({ length: 100 }, (_, at) => fault(at));
  let asked = 0;
  const { schedule: left, runs } = await shrink(schedule, async (candidate) => (asked++, candidate.length >= 37), 10);
  expect(runs).toBe(10);
  expect(asked).toBe(10);
  expect(left.length).toBeGreaterThanOrEqual(37);
});
