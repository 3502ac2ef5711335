import type { BinaryString, NodeId, PartitionId } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anySettings, applyChange, fold, histories, member, nodeId, partitions, settings } from './histories.test-support.js';
import { emptyRing, formRing, ringJoin, ringLeave } from './change.js';
import { rangeContains } from './position.js';
import type { Ring } from './ring.js';
import { type RangeTransfer, transfersBetween } from './transfers.js';

const replicas = fc.integer({ min: 1, max: 4 });

/** Every place where anything may change: the starts of all partitions of both rings, and of all transfers. */
function cuts(before: Ring, after: Ring, transfers: readonly RangeTransfer[]): BinaryString[] {
  const starts = [
    ...partitions(before).map((partition) => before.rangeOf(partition).start),
    ...partitions(after).map((partition) => after.rangeOf(partition).start),
    ...transfers.map(({ range }) => range.start),
  ];
  return [...new Set(starts)].sort();
}

function holdersAt(ring: Ring, position: BinaryString, n: number): Set<NodeId> {
  const partition = partitions(ring).find((candidate) => rangeContains(ring.rangeOf(candidate), position)) as PartitionId;
  return new Set(ring.primariesOf(partition, n));
}

function check(before: Ring, after: Ring, n: number): void {
  const transfers = transfersBetween(before, after, n);
  for (const position of cuts(before, after, transfers)) {
    const here = transfers.filter(({ range }) => rangeContains(range, position));
    expect(here.length).toBeLessThanOrEqual(1);
    const old = holdersAt(before, position, n);
    const holders = new Set(old);
    for (const { gains, drops, partition } of here) {
      expect(rangeContains(after.rangeOf(partition), position)).toBe(true);
      for (const { target, sources } of gains) {
        expect(old.has(target)).toBe(false);
        expect(new Set(sources)).toEqual(old);
        expect(sources).toHaveLength(old.size);
        holders.add(target);
      }
      for (const node of drops) {
        expect(old.has(node)).toBe(true);
        holders.delete(node);
      }
      expect(gains.length + drops.length).toBeGreaterThan(0);
    }
    expect(holders).toEqual(holdersAt(after, position, n));
  }
}

describe('transfers', () => {
  test('applied to the holders before, give the holders after; sources are exactly the holders before', () => {
    fc.assert(
      fc.property(anySettings, histories({ nodes: 8, length: 12 }), replicas, (start, history, n) => {
        const before = fold(start, history.slice(0, -1));
        check(before, applyChange(before, history[history.length - 1]!), n);
      }),
      { numRuns: 60 },
    );
  });

  test('hold between rings of different strategies and partition counts too', () => {
    fc.assert(
      fc.property(anySettings, anySettings, histories({ nodes: 6, length: 8 }), replicas, (from, to, history, n) => {
        check(fold(from, history), fold(to, history), n);
      }),
      { numRuns: 40 },
    );
  });

  test('are none between equal rings', () => {
    fc.assert(
      fc.property(anySettings, histories(), replicas, (start, history, n) => {
        expect(transfersBetween(fold(start, history), fold(start, history), n)).toEqual([]);
      }),
    );
  });

  test('come in ring order and do not overlap', () => {
    fc.assert(
      fc.property(anySettings, histories({ nodes: 8, length: 12 }), replicas, (start, history, n) => {
        const transfers = transfersBetween(fold(start, history.slice(0, -1)), fold(start, history), n);
        transfers.slice(1).forEach(({ range }, index) => {
          const { end } = transfers[index]!.range;
          expect(end !== undefined && end <= range.start).toBe(true);
        });
      }),
    );
  });

  test('a node that leaves is the first source of whoever takes its place', () => {
    const before = formRing(
      settings({ partitionCount: 128 }),
      [0, 1, 2, 3, 4, 5, 6].map((i) => member(i)),
    );
    const transfers = transfersBetween(before, ringLeave(before, nodeId(3)), 3);
    const replacing = transfers.filter(({ drops }) => drops.includes(nodeId(3)));
    expect(replacing.length).toBeGreaterThan(40);
    for (const { gains, drops } of replacing) {
      const index = drops.indexOf(nodeId(3));
      expect(gains[index]?.sources[0]).toBe(nodeId(3));
    }
  });

  test('a second replica is copied from all holders in turn', () => {
    const before = formRing(settings({ partitionCount: 64 }), [member(0), member(1)]);
    const transfers = transfersBetween(before, ringJoin(before, member(2)), 3);
    const first = transfers.map(({ gains }) => gains[0]?.sources[0]);
    expect(first.filter((node) => node === nodeId(0))).toHaveLength(32);
    expect(first.filter((node) => node === nodeId(1))).toHaveLength(32);
  });

  test('the first member has nothing to copy', () => {
    const [only] = transfersBetween(
      emptyRing(settings({ partitionCount: 1 })),
      formRing(settings({ partitionCount: 1 }), [member(0)]),
      3,
    );
    expect(only).toMatchObject({ gains: [{ target: nodeId(0), sources: [] }], drops: [], range: { end: undefined } });
  });
});
