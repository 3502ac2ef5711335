import { hlcFromMs, type Hlc } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { operation, superseded, supersededEntry } from './arbitrary.test-support.js';
import {
  ALWAYS_KEPT,
  MAX_SUPERSEDED,
  NONE_SUPERSEDED,
  REPEATED_WINDOW,
  SUPERSEDED_WINDOW,
  countSuperseded,
  isSuperseded,
  withoutOperation,
  mergeSuperseded,
  supersededOperations,
} from './superseded.js';

const START = hlcFromMs(1_800_000_000_000);
const ended = (n: number, at = n) => ({ operation: operation(n), at: (START + at) as Hlc });

describe('merging what was superseded', () => {
  it('is commutative, associative and idempotent, and returns an input itself where that is all', () => {
    fc.assert(
      fc.property(superseded, superseded, superseded, (x, y, z) => {
        const xy = mergeSuperseded(x, y);
        expect(xy).toEqual(mergeSuperseded(y, x));
        expect(mergeSuperseded(xy, z)).toEqual(mergeSuperseded(x, mergeSuperseded(y, z)));
        expect(mergeSuperseded(xy, x)).toBe(xy);
        if (x !== NONE_SUPERSEDED) expect(mergeSuperseded(x, { ...x })).toBe(x);
        expect(mergeSuperseded(x, xy)).toEqual(xy);
      }),
      { numRuns: 2000 },
    );
  });

  it('trimming at every step is trimming once at the end, in any order and any grouping', () => {
    fc.assert(
      fc.property(fc.array(fc.array(supersededEntry, { maxLength: 30, size: 'max' }), { maxLength: 5 }), (groups) => {
        const step = groups.reduce((all, group) => mergeSuperseded(all, supersededOperations(group)), NONE_SUPERSEDED);
        expect(step).toEqual(supersededOperations(groups.toReversed().flat()));
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps the greatest, each operation once with its greatest time', () => {
    const many = Array.from({ length: MAX_SUPERSEDED + 5 }, (_, i) => ended(i));
    const kept = supersededOperations([...many, ended(7, 1_000)]);
    expect(countSuperseded(kept)).toBe(MAX_SUPERSEDED);
    expect(kept).toEqual(supersededOperations([ended(7, 1_000), ...many.slice(5)]));
    expect(kept.lately[0]).toBe(START + 1_000);
    expect([7, MAX_SUPERSEDED + 4, 0].map((n) => isSuperseded(kept, operation(n)))).toEqual([true, true, false]);
    expect(isSuperseded(withoutOperation(kept, operation(7)), operation(7))).toBe(false);
    expect(withoutOperation(kept, operation(0))).toBe(kept);
  });

  it('forgets what ended longer before the last ones than the window, and nothing within it', () => {
    const later = (at: number) => Array.from({ length: ALWAYS_KEPT }, (_, i) => ended(2 + i, at + i));
    expect(countSuperseded(supersededOperations([ended(1, 0), ...later(SUPERSEDED_WINDOW)]))).toBe(1 + ALWAYS_KEPT);
    const beyond = later(SUPERSEDED_WINDOW + 1);
    expect(supersededOperations([ended(1, 0), ...beyond])).toEqual(supersededOperations(beyond));
  });

  it('repetitions are kept beside the others, and for a day', () => {
    const again = (n: number, at = n) => ({ ...ended(n, at), repeated: true });
    const others = Array.from({ length: 100 }, (_, i) => ended(10 + i, 1_000 + i));
    const kept = supersededOperations([again(1), ...others]);
    expect(countSuperseded(kept)).toBe(MAX_SUPERSEDED + 1);
    expect([1, 10, 109].map((n) => isSuperseded(kept, operation(n)))).toEqual([true, false, true]);
    const within = Array.from({ length: ALWAYS_KEPT }, (_, i) => again(200 + i, REPEATED_WINDOW));
    const beyond = Array.from({ length: ALWAYS_KEPT }, (_, i) => again(300 + i, REPEATED_WINDOW + 2));
    expect(isSuperseded(supersededOperations([again(1), ...within]), operation(1))).toBe(true);
    expect(isSuperseded(supersededOperations([again(1), ...beyond]), operation(1))).toBe(false);
    expect(withoutOperation(supersededOperations([again(1)]), operation(1))).toBe(NONE_SUPERSEDED);
  });

  it('fewer than ALWAYS_KEPT versions stamped years ahead push out nothing', () => {
    const year = hlcFromMs(365 * 86_400_000);
    const ahead = Array.from({ length: ALWAYS_KEPT - 1 }, (_, i) => ended(100 + i, year + i));
    const others = Array.from({ length: 5 }, (_, i) => ended(i));
    expect(countSuperseded(supersededOperations([...ahead, ...others]))).toBe(ahead.length + others.length);
  });
});
