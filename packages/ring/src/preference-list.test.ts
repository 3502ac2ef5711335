import type { NodeId, PartitionId } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anySettings, fold, histories, member, nodeId, partitions, settings, zoneOf } from './histories.test-support.js';
import { emptyRing, formRing } from './change.js';
import type { Ring } from './ring.js';
import { zoneSpread } from './zone-spread.js';

const replicas = fc.integer({ min: 1, max: 6 });

/**
 * Distinct owners met from a partition on, by asking the ring for each partition's owner: strategy 3's walk, written the slow
 * way.
 */
function ownersClockwise(ring: Ring, from: PartitionId): NodeId[] {
  const owners = partitions(ring).map((i) => ring.ownerOf(((from + i) % ring.partitionCount) as PartitionId));
  return [...new Set(owners)];
}

const perZone = (ring: Ring, nodes: readonly NodeId[]): number[] => {
  const zone = zoneOf(ring);
  const zones = [...new Set(ring.members.map((m) => m.zone))];
  return zones.map((name) => nodes.filter((node) => zone(node) === name).length);
};

describe('preference list', () => {
  test('names every member exactly once: min(n, S) primaries, the owner first, then the fallbacks', () => {
    fc.assert(
      fc.property(anySettings, histories(), replicas, (start, history, n) => {
        const ring = fold(start, history);
        for (const partition of partitions(ring)) {
          const { primaries, fallbacks } = ring.preferenceList(partition, n);
          expect(primaries).toHaveLength(Math.min(n, ring.members.length));
          expect([...primaries, ...fallbacks].sort()).toEqual(ring.members.map(({ node }) => node));
          if (ring.members.length > 0) expect(primaries[0]).toBe(ring.ownerOf(partition));
          expect(ring.primariesOf(partition, n)).toEqual(primaries);
        }
      }),
    );
  });

  test('primaries spread over zones as evenly as the zones allow', () => {
    fc.assert(
      fc.property(anySettings, histories({ nodes: 10 }), replicas, (start, history, n) => {
        const ring = fold(start, history);
        const sizes = perZone(
          ring,
          ring.members.map(({ node }) => node),
        );
        const { base, extra } = zoneSpread(sizes, n);
        for (const partition of partitions(ring)) {
          const counts = perZone(ring, ring.preferenceList(partition, n).primaries);
          counts.forEach((count, zone) => expect(count).toBeGreaterThanOrEqual(Math.min(base, sizes[zone] as number)));
          expect(counts.filter((count) => count > base)).toHaveLength(extra);
          if (sizes.length >= n) expect(Math.max(0, ...counts)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test('every longer prefix is spread as evenly too, so fallbacks complete what a primary leaves', () => {
    fc.assert(
      fc.property(histories({ nodes: 10, zones: 3 }), replicas, (history, n) => {
        const ring = fold(settings({ partitionCount: 32 }), history);
        const sizes = perZone(
          ring,
          ring.members.map(({ node }) => node),
        );
        for (const partition of partitions(ring)) {
          const { primaries, fallbacks } = ring.preferenceList(partition, n);
          for (let more = 0; more <= fallbacks.length; more++) {
            const counts = perZone(ring, [...primaries, ...fallbacks.slice(0, more)]);
            const most = Math.max(0, ...counts);
            counts.forEach((count, zone) => expect(count >= most - 1 || count === sizes[zone]).toBe(true));
          }
        }
      }),
    );
  });

  test('with N zones, whichever primary is down, one of the first N fallbacks is of its zone', () => {
    const ring = formRing(
      settings({ partitionCount: 128 }),
      Array.from({ length: 9 }, (_, i) => member(i, { zone: i % 3 })),
    );
    const zone = zoneOf(ring);
    for (const partition of partitions(ring)) {
      const { primaries, fallbacks } = ring.preferenceList(partition, 3);
      expect(new Set(fallbacks.slice(0, 3).map(zone))).toEqual(new Set(primaries.map(zone)));
    }
  });

  test('with more than N zones, the first fallback is in a fresh zone', () => {
    const ring = formRing(
      settings({ partitionCount: 128 }),
      Array.from({ length: 10 }, (_, i) => member(i, { zone: i % 5 })),
    );
    const zone = zoneOf(ring);
    for (const partition of partitions(ring)) {
      const { primaries, fallbacks } = ring.preferenceList(partition, 3);
      expect(primaries.map(zone)).not.toContain(zone(fallbacks[0] as NodeId));
    }
  });

  test('in one zone it is the distinct owners clockwise', () => {
    fc.assert(
      fc.property(histories({ zones: 1 }), replicas, (history, n) => {
        const ring = fold(settings(), history);
        for (const partition of partitions(ring).slice(0, ring.members.length === 0 ? 0 : undefined)) {
          const { primaries, fallbacks } = ring.preferenceList(partition, n);
          expect([...primaries, ...fallbacks]).toEqual(ownersClockwise(ring, partition));
        }
      }),
    );
  });

  test('is remembered: the same object at the second call, and for every n beyond the members', () => {
    const ring = formRing(settings(), [member(1), member(2), member(3)]);
    const partition = 7 as PartitionId;
    expect(ring.preferenceList(partition, 2)).toBe(ring.preferenceList(partition, 2));
    expect(ring.preferenceList(partition, 3)).toBe(ring.preferenceList(partition, 99));
  });

  test('members that own no token come last, and are still there', () => {
    const ring = formRing(
      settings({ partitionCount: 2 }),
      [0, 1, 2, 3].map((i) => member(i)),
    );
    const { primaries, fallbacks } = ring.preferenceList(0 as PartitionId, 3);
    expect([...primaries, ...fallbacks].sort()).toEqual([0, 1, 2, 3].map(nodeId));
  });

  test('an empty ring lists nobody, and has no owner to name', () => {
    const ring = emptyRing(settings());
    expect(ring.preferenceList(0 as PartitionId, 3)).toEqual({ primaries: [], fallbacks: [] });
    expect(() => ring.ownerOf(0 as PartitionId)).toThrow('without members');
  });

  test('a partition of another ring, or n below one, is a programmer error', () => {
    const ring = formRing(settings(), [member(1)]);
    expect(() => ring.preferenceList(64 as PartitionId, 3)).toThrow('a partition of this ring');
    expect(() => ring.preferenceList(0 as PartitionId, 0)).toThrow('n is a whole number');
    expect(() => ring.rangeOf(-1 as PartitionId)).toThrow('a partition of this ring');
  });
});
