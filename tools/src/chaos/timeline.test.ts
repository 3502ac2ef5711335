import { expect, test } from 'vitest';
import { acknowledgedAt, problemCounts, longestGapMs, percentile, timelineOf } from './timeline.js';

const ended = (endedMs: number, tookMs: number, outcome: 'acknowledged' | 'unknown' = 'acknowledged') => ({
  ...{ endedMs, outcome },
  startedMs: endedMs - tookMs,
});

test('operations count in the second in which they end, and seconds without any are there too', () => {
  const operations = [ended(10_100, 20), ended(10_900, 30), ended(10_950, 800, 'unknown'), ended(13_000, 5)];
  expect(timelineOf(operations, 10_000, 13_200)).toEqual([
    { second: 0, acknowledged: 2, failed: 1, p999Ms: 800 },
    { second: 1, acknowledged: 0, failed: 0, p999Ms: undefined },
    { second: 2, acknowledged: 0, failed: 0, p999Ms: undefined },
    { second: 3, acknowledged: 1, failed: 0, p999Ms: 5 },
  ]);
});

test('no operation is left out, whatever the moment at which it ends', () => {
  const seconds = timelineOf([ended(0, 0), ended(1_000, 1), ended(2_000, 1)], 0, 2_000);
  expect(seconds.map(({ acknowledged }) => acknowledged)).toEqual([1, 2]);
});

test('a percentile is the nearest rank', () => {
  const thousand = Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
  expect(percentile(thousand, 0.999)).toBe(999);
  expect(percentile(thousand, 0.5)).toBe(500);
  expect(percentile([3], 0.999)).toBe(3);
  expect(percentile([], 0.999)).toBeUndefined();
});

test('the longest gap is that of all which touch the fault, its ends outside of it included', () => {
  const times = acknowledgedAt(
    [ended(1_100, 1), ended(4_100, 1), ended(1_200, 1, 'unknown'), ended(4_200, 1), ended(9_100, 1)],
    100,
  );
  expect(times).toEqual([1_000, 4_000, 4_100, 9_000]);
  expect(longestGapMs(times, 2_000, 2_500, 10_000)).toBe(3_000);
  expect(longestGapMs(times, 4_010, 4_050, 10_000)).toBe(100);
  expect(longestGapMs(times, 2_000, 5_000, 10_000)).toBe(4_900);
  expect(longestGapMs(times, 9_500, 9_600, 12_000)).toBe(3_000); // nothing was acknowledged any more
  expect(longestGapMs([], 0, 100, 700)).toBe(700);
});

test('problems are counted by their codes, the most frequent first', () => {
  const problems = ['', 'timeout: no answer', 'unavailable: 1 of 2', 'unavailable: 0 of 2: nobody listens'].map((problem) => ({
    problem,
  }));
  expect(Object.entries(problemCounts(problems))).toEqual([
    ['unavailable', 2],
    ['timeout', 1],
  ]);
});
