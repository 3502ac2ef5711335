import { expect, test } from 'vitest';
import { addUp, describeTotals, NOTHING_SIMULATED, speedOf, summaryOf } from './totals.js';

const report = {
  seed: 5,
  digest: 'd',
  violations: [],
  acknowledged: 100,
  unknown: 2,
  refused: 0,
  reads: 90,
  load: ['registers'],
  sessionPairs: 0,
  unavailableMs: 0,
  schedule: [{ kind: 'kill', atMs: 1, lastMs: 1, whom: ['n1'], degree: 0 }],
  virtualMs: 1_800_000,
  events: 1_000,
  dropped: 0,
  mintedTwice: 3,
  convergedAfterMs: 4_000,
  trace: ['x'],
} as const;

test('runs add up; those with violations and those that threw are failures', () => {
  const good = addUp(NOTHING_SIMULATED, summaryOf(report));
  const all = addUp(addUp(good, summaryOf({ ...report, seed: 6, violations: ['lost'] })), { seed: 7, threw: 'oh' });
  expect(all).toMatchObject({
    seeds: 3,
    failed: [6, 7],
    acknowledged: 200,
    mintedTwice: 6,
    reads: 180,
    faults: { kill: 2 },
    slowestConvergenceMs: 4_000,
  });
  expect(describeTotals(all, 60_000, 2)).toContain('3 seeds, 2 failed: 6 7');
});

test('how fast it was, of all processes together and of one', () => {
  const all = [5, 6].reduce((totals, seed) => addUp(totals, summaryOf({ ...report, seed, refused: 1 })), NOTHING_SIMULATED);
  expect(speedOf(all, 30_000, 2)).toEqual({
    virtualHoursAMinute: 2,
    seedsAMinute: 4,
    operationsAMinute: 4 * (100 + 2 + 1 + 90),
    timesRealTime: 60,
  });
  const described = describeTotals(all, 30_000, 2);
  expect(described).toContain('1.00 virtual hours in 0.5 min on 2 process(es), each 60 times real time');
  expect(described).toContain('a minute: 2.00 virtual hours, 4 seeds, 772 operations checked');
});
