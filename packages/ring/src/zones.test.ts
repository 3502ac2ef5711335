/**
 * What operators rely on when they place nodes in zones: one replica in each of N zones where there are as many, the evenest
 * spread where there are fewer, whatever history of joins, leaves, new weights and moves between zones has led there.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyChange, fold, histories, member, partitions, settings, zoneOf } from './histories.test-support.js';
import { formRing } from './change.js';
import type { Ring, RingSettings } from './ring.js';

const strategies = fc.constantFrom(2 as const, 3 as const);
const ringSettings: fc.Arbitrary<RingSettings> = fc
  .record({ strategy: strategies, partitionCount: fc.constantFrom(8, 32, 64), targetN: fc.integer({ min: 1, max: 4 }) })
  .map((parts) => settings(parts));

/** Replicas per zone that has members, of each partition. */
function spreads(ring: Ring, n: number): { readonly sizes: readonly number[]; readonly counts: readonly number[] }[] {
  const zone = zoneOf(ring);
  const zones = [...new Set(ring.members.map((one) => one.zone))];
  const sizes = zones.map((name) => ring.members.filter((one) => one.zone === name).length);
  return partitions(ring).map((partition) => {
    const owners = ring.primariesOf(partition, n);
    return { sizes, counts: zones.map((name) => owners.filter((node) => zone(node) === name).length) };
  });
}

describe('zones', () => {
  test('at least N of them: each partition has its N owners in N zones, after every change of any history', () => {
    fc.assert(
      fc.property(ringSettings, histories({ nodes: 12, zones: 5 }), (start, history) => {
        let ring = fold(start, []);
        for (const change of history) {
          ring = applyChange(ring, change);
          for (const { sizes, counts } of spreads(ring, start.targetN)) {
            if (sizes.length < start.targetN) continue;
            expect(Math.max(0, ...counts)).toBeLessThanOrEqual(1);
            expect(counts.filter((count) => count === 1)).toHaveLength(Math.min(start.targetN, sizes.length));
          }
        }
      }),
    );
  });

  test('fewer than N: no zone has two replicas more than one that has another node', () => {
    fc.assert(
      fc.property(ringSettings, histories({ nodes: 10, zones: 3 }), fc.integer({ min: 2, max: 6 }), (start, history, n) => {
        for (const { sizes, counts } of spreads(fold(start, history), n)) {
          const most = Math.max(0, ...counts);
          counts.forEach((count, zone) => expect(count >= most - 1 || count === sizes[zone]).toBe(true));
        }
      }),
    );
  });

  test.each([2, 3] as const)(
    'strategy %i, three zones of very uneven sizes and weights, N = 3: one replica in each',
    (strategy) => {
      const members = [
        ...Array.from({ length: 9 }, (_, i) => member(i, { zone: 0 })),
        ...[9, 10, 11].map((i) => member(i, { zone: 1, weight: 0.5 })),
        member(12, { zone: 2, weight: 2 }),
      ];
      const ring = formRing(settings({ strategy, partitionCount: 256 }), members);
      for (const { counts } of spreads(ring, 3)) expect(counts).toEqual([1, 1, 1]);
    },
  );

  test('whichever zone is cut off, its fallbacks for a key are all its other nodes: a side has every one of its nodes to write to', () => {
    fc.assert(
      fc.property(ringSettings, histories({ nodes: 12, zones: 4 }), (start, history) => {
        const ring = fold(start, history);
        const zone = zoneOf(ring);
        for (const partition of partitions(ring).slice(0, 8)) {
          const { primaries, fallbacks } = ring.preferenceList(partition, start.targetN);
          for (const name of new Set(ring.members.map((one) => one.zone))) {
            const here = [...primaries, ...fallbacks].filter((node) => zone(node) === name);
            expect(here.toSorted()).toEqual(ring.members.filter((one) => one.zone === name).map(({ node }) => node));
          }
        }
      }),
    );
  });
});
