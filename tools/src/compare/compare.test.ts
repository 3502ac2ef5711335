import { describe, expect, test } from 'vitest';
import { runExperiment } from './experiment.js';
import { tableOf, totalsOf } from './report.js';

const RUN = { beforeMs: 3_000, cutMs: 12_000, afterMs: 3_000, thinkMs: 150 };

describe.each([1, 2, 3])('five clients add to one set, the cluster cut into two and three (seed %i)', (seed) => {
  test('with siblings and a merge, every acknowledged add is in the set', async () => {
    const { acknowledged, surviving, lost } = await runExperiment({ ...RUN, seed, resolver: 'siblings' });
    expect(acknowledged).toBeGreaterThan(200);
    expect({ surviving, lost }).toEqual({ surviving: acknowledged, lost: 0 });
  });

  test('with last-write-wins, acknowledged adds are lost', async () => {
    const { acknowledged, surviving, lost } = await runExperiment({ ...RUN, seed, resolver: 'last-write-wins' });
    expect(acknowledged).toBeGreaterThan(200);
    expect(lost).toBeGreaterThan(acknowledged / 10);
    expect(surviving + lost).toBe(acknowledged);
  });
});

test('one seed is one run', async () => {
  const run = { ...RUN, cutMs: 3_000, seed: 7, resolver: 'last-write-wins' } as const;
  expect(await runExperiment(run)).toEqual(await runExperiment(run));
});

test('totals add up over the seeds of a resolver, and keep the best and the worst of them', () => {
  const run = { seed: 1, resolver: 'last-write-wins', attempted: 110, acknowledged: 100, surviving: 60, lost: 40 } as const;
  const results = [run, { ...run, seed: 2, surviving: 40, lost: 60 }];
  expect(totalsOf(results)).toEqual([
    {
      ...{ resolver: 'last-write-wins', seeds: 2, attempted: 220, acknowledged: 200, surviving: 100, lost: 100 },
      ...{ lostPercent: 50, leastPercent: 40, mostPercent: 60 },
    },
  ]);
  expect(tableOf(results)).toMatch(/last-write-wins\D+all\D+220\D+200\D+100\D+100\D+50\.0/);
});
