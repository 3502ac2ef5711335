import { expect, test } from 'vitest';
import type { CellResult } from './drive.js';
import { medians } from './medians.js';

const run = (figure: number, errors = 0): CellResult => ({
  ...{ durability: 'fsync', load: 'put', inFlight: 1, sizeBytes: 100, seconds: 1, keys: 1, overwrite: 0, contender: 'this' },
  ...{
    operations: figure,
    perSecond: figure,
    cpuUs: figure,
    meanMs: figure,
    p50Ms: figure,
    p99Ms: figure,
    p999Ms: figure,
    maxMs: figure,
    errors,
  },
});

test('of an odd number of runs the one in the middle, of an even one the mean of two; one run is itself', () => {
  expect(medians([run(9), run(1), run(100)])).toEqual(run(9));
  expect(medians([run(9), run(1), run(100), run(11)])).toEqual(run(10));
  expect(medians([run(3)])).toEqual(run(3));
});

test('errors are added up, not averaged away', () => {
  expect(medians([run(1), run(1, 2), run(1)]).errors).toBe(2);
});
