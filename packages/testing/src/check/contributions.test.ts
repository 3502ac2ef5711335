import { expect, test } from 'vitest';
import { checkContributions, type Contribution } from './contributions.js';
import type { Outcome } from './operation-log.js';

const contribution = (slot: string, rank: number, outcome: Outcome): Contribution => ({
  ...{ key: 'k', slot, rank, client: 'c', beganMs: 0, endedMs: 1 },
  outcome,
});
const judge = (contributions: Contribution[], slots: Record<string, number>): string[] =>
  checkContributions(contributions, new Map([['k', new Map(Object.entries(slots))]])).map((found) =>
    found.split(' ').slice(0, 2).join(' '),
  );

test('an acknowledged element is in the set, an unknown one may be, and a refused one is not', () => {
  const added = [contribution('a', 0, 'acknowledged'), contribution('b', 0, 'unknown'), contribution('c', 0, 'refused')];
  expect(judge(added, { a: 0 })).toEqual([]);
  expect(judge(added, { a: 0, b: 0 })).toEqual([]);
  expect(judge(added, { b: 0 })).toEqual(['lost: a']);
  expect(judge(added, { a: 0, c: 0 })).toEqual(['invented: c']);
  expect(judge(added, { a: 0, x: 0 })).toEqual(['invented: x']);
});

test('a client’s count is what was acknowledged to it, or one more where the last step is unknown', () => {
  const counted = [
    contribution('c1', 1, 'acknowledged'),
    contribution('c1', 2, 'acknowledged'),
    contribution('c1', 3, 'unknown'),
  ];
  expect(judge(counted, { c1: 2 })).toEqual([]);
  expect(judge(counted, { c1: 3 })).toEqual([]);
  expect(judge(counted, { c1: 1 })).toEqual(['lost: c1']);
  expect(judge(counted, { c1: 4 })).toEqual(['invented: c1']);
  expect(judge(counted, {})).toEqual(['lost: c1', 'lost: c1']);
});

test('what the bucket did not promise to keep may be missing', () => {
  const added = [contribution('a', 0, 'acknowledged')];
  expect(checkContributions(added, new Map(), () => true)).toEqual([]);
  expect(checkContributions(added, new Map(), () => false)).toHaveLength(1);
});
