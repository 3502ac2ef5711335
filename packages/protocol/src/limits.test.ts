import { expect, test } from 'vitest';
import { DEFAULT_BUCKET_PROPERTIES } from './bucket.js';
import { largestValueBytes, MAX_MESSAGE_BYTES, MAX_VALUE_BYTES, maxSetBytes } from './limits.js';
import { MAX_N } from './quorum-word.js';

const EVERY_N = Array.from({ length: MAX_N }, (_, place) => place + 1);
/** 64 entries of metadata, a clock of a thousand actors, the superseded operations. */
const AROUND_A_VALUE_BYTES = 8 * 1024 + 64 * 4 + 1_000 * 16 + 1_000;

test.each(EVERY_N)('n=%i: what n sides of a cut make of a key, and as much again, fits into one message', (n) => {
  expect(2 * n * maxSetBytes(n)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
});

test.each(EVERY_N)('n=%i: two writers at once may each put the largest value, with all that comes with it', (n) => {
  expect(2 * largestValueBytes(n) + AROUND_A_VALUE_BYTES * 2).toBeLessThanOrEqual(maxSetBytes(n));
  expect(largestValueBytes(n)).toBeGreaterThan(900_000);
  expect(largestValueBytes(n)).toBeLessThanOrEqual(MAX_VALUE_BYTES);
});

test('three replicas: the default is allowed, and values of 10 MiB are', () => {
  expect(DEFAULT_BUCKET_PROPERTIES.maxValueBytes).toBeLessThanOrEqual(largestValueBytes(7));
  expect(largestValueBytes(3)).toBeGreaterThanOrEqual(10 * 2 ** 20);
});
