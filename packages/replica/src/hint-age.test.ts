import { hlcFromMs, type NodeId } from '@armature/kernel';
import {
  EMPTY_VECTOR,
  emptyVersionSet,
  encodeVersionSet,
  mint,
  valueVersion,
  type ActorId,
  type OperationId,
} from '@armature/versioning';
import { describe, expect, test } from 'vitest';
import { HintAges } from './hint-age.js';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const OWNER = 'n1' as NodeId;

/** A hint whose only version is stamped then. */
function hint(atMs: number): Uint8Array {
  const version = valueVersion({ value: Uint8Array.of(1), at: hlcFromMs(atMs), operation: '0'.repeat(16) as OperationId });
  return encodeVersionSet(mint(emptyVersionSet, '1'.repeat(16) as ActorId, EMPTY_VECTOR, version).set);
}

describe('the age of hints', () => {
  test('is that of the newest version', () => {
    expect(new HintAges().bornMs(OWNER, hint(NOW_MS - HOUR_MS), NOW_MS)).toBe(NOW_MS - HOUR_MS);
    expect(new HintAges().bornMs(OWNER, hint(NOW_MS + 30_000), NOW_MS)).toBe(NOW_MS + 30_000);
  });

  test('a hint from years ahead grows old from when it was first seen, through surveys, until no such hint is left', () => {
    const ages = new HintAges();
    const ahead = hint(NOW_MS + YEAR_MS);
    expect(ages.bornMs(OWNER, ahead, NOW_MS)).toBe(NOW_MS);
    for (const hours of [1, 24]) {
      ages.beginSurvey(OWNER);
      const bornMs = ages.bornMs(OWNER, ahead, NOW_MS + hours * HOUR_MS);
      ages.kept(OWNER, bornMs);
      ages.endSurvey(OWNER, true);
      expect([bornMs, ages.oldestMs(OWNER)]).toEqual([NOW_MS, NOW_MS]);
    }
    ages.beginSurvey(OWNER);
    ages.endSurvey(OWNER, true);
    expect(ages.oldestMs(OWNER)).toBeUndefined();
    expect(ages.bornMs(OWNER, ahead, NOW_MS + 48 * HOUR_MS)).toBe(NOW_MS + 48 * HOUR_MS);
  });

  test('what is no version set is as old as it is found', () => {
    expect(new HintAges().bornMs(OWNER, Uint8Array.of(9, 9), NOW_MS)).toBe(NOW_MS);
  });
});
