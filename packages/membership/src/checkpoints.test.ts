import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMilestone, thinned } from './checkpoints.js';

/** Counts kept after appending in batches of the given sizes. */
function kept(batches: readonly number[]): { states: { count: number }[]; total: number } {
  let states: { count: number }[] = [];
  let total = 0;
  for (const batch of batches) {
    const from = total;
    total += batch;
    const passed = Array.from({ length: batch }, (_, i) => from + i).filter((count) => isMilestone(count, total));
    states = thinned(
      [
        ...states,
        ...passed.filter((count) => count > (states.at(-1)?.count ?? -1)).map((count) => ({ count })),
        { count: total },
      ],
      total,
    );
  }
  return { states, total };
}

const batches = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 60 });

describe('checkpoints', () => {
  test('the last state is kept, in ascending order, about two per doubling', () => {
    fc.assert(
      fc.property(batches, (sizes) => {
        const { states, total } = kept(sizes);
        expect(states.at(-1)?.count).toBe(total);
        expect(states.map((state) => state.count)).toEqual(
          [...new Set(states.map((state) => state.count))].sort((a, b) => a - b),
        );
        expect(states.length).toBeLessThanOrEqual(2 * Math.log2(total + 1) + 2);
      }),
    );
  });

  test('a record d places late: a kept state, or the beginning, lies fewer than 2d back', () => {
    fc.assert(
      fc.property(batches, (sizes) => {
        const { states, total } = kept(sizes);
        for (let late = 1; late <= total; late++) {
          const usable = states.filter((state) => state.count <= total - late).at(-1)?.count ?? 0;
          expect(total - usable).toBeLessThanOrEqual(Math.max(1, 2 * late - 1));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('appending one by one keeps old states too', () => {
    const { states, total } = kept(Array.from({ length: 1_000 }, () => 1));
    expect(states.length).toBeGreaterThanOrEqual(8);
    expect(total - (states[0]?.count ?? total)).toBeGreaterThanOrEqual(499);
  });
});
