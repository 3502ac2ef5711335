import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { zoneBounds, zoneSpread } from './zone-spread.js';

const zones = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });

describe('zone spread', () => {
  test('examples: one each, two and one, a small zone filled up', () => {
    expect(zoneSpread([3, 3, 3], 3)).toEqual({ base: 0, extra: 3 });
    expect(zoneSpread([3, 3], 3)).toEqual({ base: 1, extra: 1 });
    expect(zoneSpread([4, 1], 3)).toEqual({ base: 1, extra: 1 });
    expect(zoneSpread([5, 1, 1], 5)).toEqual({ base: 2, extra: 1 });
    expect(zoneSpread([], 3)).toEqual({ base: 0, extra: 0 });
  });

  test('places min(n, nodes) replicas, with room for every extra', () => {
    fc.assert(
      fc.property(zones, fc.integer({ min: 1, max: 12 }), (sizes, n) => {
        const spread = zoneSpread(sizes, n);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const base = sizes.reduce((sum, size) => sum + zoneBounds(spread, size).least, 0);
        const roomForMore = sizes.filter((size) => size > spread.base).length;
        expect(base + spread.extra).toBe(Math.min(n, total));
        expect(spread.extra).toBeLessThanOrEqual(roomForMore);
      }),
    );
  });

  test('no zone could give a replica to another and be more even', () => {
    fc.assert(
      fc.property(zones, fc.integer({ min: 1, max: 12 }), (sizes, n) => {
        const spread = zoneSpread(sizes, n);
        const most = Math.max(...sizes.map((size) => zoneBounds(spread, size).most));
        // Whoever has at least two fewer than the fullest zone has no more nodes to offer.
        for (const size of sizes) {
          const { least } = zoneBounds(spread, size);
          if (least < most - 1) expect(least).toBe(size);
        }
      }),
    );
  });
});
