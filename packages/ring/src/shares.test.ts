import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Claimant, fairShares, type ShareRules, wholeShares } from './shares.js';
import { zoneBounds, zoneSpread } from './zone-spread.js';

const rulesFor = (partitionCount: number, targetN: number, claimants: readonly Claimant[]): ShareRules => {
  const zoneCount = Math.max(0, ...claimants.map(({ zone }) => zone + 1));
  return {
    partitionCount,
    targetN,
    zoneSizes: Array.from({ length: zoneCount }, (_, z) => claimants.filter(({ zone }) => zone === z).length),
  };
};
const equal = (count: number): Claimant[] => Array.from({ length: count }, () => ({ weight: 1, zone: 0 }));
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** Zones numbered without gaps, as a ring numbers them. */
const claimants = fc
  .array(fc.record({ weight: fc.double({ min: 0.01, max: 100, noNaN: true }), zone: fc.nat(4) }), { minLength: 1, maxLength: 20 })
  .map((list) => {
    const used = [...new Set(list.map(({ zone }) => zone))].sort((a, b) => a - b);
    return list.map(({ weight, zone }) => ({ weight, zone: used.indexOf(zone) }));
  });
const counts = fc.constantFrom(1, 4, 32, 64, 256, 1024);
const targets = fc.integer({ min: 1, max: 5 });

describe('fair shares', () => {
  test('are proportional to the weights where no limit binds', () => {
    const weights = [1, 1, 2, 1.5, 1, 1, 0.5, 2];
    const shares = fairShares(
      { partitionCount: 256, targetN: 3, zoneSizes: [8] },
      weights.map((weight) => ({ weight, zone: 0 })),
    );
    weights.forEach((weight, index) => expect(shares[index]).toBeCloseTo((256 * weight) / 10, 9));
  });

  test('a node of most of the weight is given 1/N, since it cannot hold a partition twice', () => {
    const shares = fairShares(rulesFor(256, 3, [...equal(4), { weight: 50, zone: 0 }]), [...equal(4), { weight: 50, zone: 0 }]);
    expect([...shares].map((share) => Math.round(share * 1e6) / 1e6)).toEqual(
      [...Array<number>(4).fill(256 / 6), 256 / 3].map((s) => Math.round(s * 1e6) / 1e6),
    );
  });

  test('the only node of a zone owns 1/N when there are N zones, since it must hold everything', () => {
    const nodes: Claimant[] = [0, 0, 0, 1, 1, 2].map((zone) => ({ weight: 1, zone }));
    const shares = fairShares(rulesFor(90, 3, nodes), nodes);
    [10, 10, 10, 15, 15, 30].forEach((share, index) => expect(shares[index]).toBeCloseTo(share, 6));
  });

  test('a node of little weight has one partition', () => {
    const nodes = [...equal(5), { weight: 0.01, zone: 0 }];
    expect(fairShares(rulesFor(64, 3, nodes), nodes)[5]).toBeCloseTo(1, 6);
  });

  test('sum to the partitions, and stay within what a node and a zone can hold', () => {
    fc.assert(
      fc.property(counts, targets, claimants, (partitionCount, targetN, nodes) => {
        const rules = rulesFor(partitionCount, targetN, nodes);
        const fair = fairShares(rules, nodes);
        const n = Math.min(targetN, nodes.length);
        const spread = zoneSpread(rules.zoneSizes, n);
        expect(sum(fair)).toBeCloseTo(partitionCount, 6);
        for (const share of fair) expect(share * n).toBeLessThanOrEqual(partitionCount + 1e-6);
        rules.zoneSizes.forEach((size, zone) => {
          const replicas = n * sum(nodes.map((node, index) => (node.zone === zone ? (fair[index] ?? 0) : 0)));
          const { least, most } = zoneBounds(spread, size);
          expect(replicas).toBeGreaterThanOrEqual(least * partitionCount - 1e-6);
          expect(replicas).toBeLessThanOrEqual(most * partitionCount + 1e-6);
        });
      }),
    );
  });
});

describe('whole shares', () => {
  test('sum to the partitions, each the floor or the ceiling of its fair share', () => {
    fc.assert(
      fc.property(
        counts,
        targets,
        claimants,
        fc.array(fc.nat(200), { minLength: 20, maxLength: 20 }),
        (partitionCount, targetN, nodes, held) => {
          const rules = rulesFor(partitionCount, targetN, nodes);
          const fair = fairShares(rules, nodes);
          const whole = wholeShares(rules, nodes, held);
          expect(sum(whole)).toBe(partitionCount);
          whole.forEach((share, index) => {
            expect(share).toBeGreaterThanOrEqual(Math.floor((fair[index] ?? 0) + 1e-6));
            expect(share).toBeLessThanOrEqual(Math.ceil((fair[index] ?? 0) - 1e-6));
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('whoever holds the odd partition keeps it', () => {
    expect([...wholeShares(rulesFor(64, 3, equal(6)), equal(6), [10, 10, 11, 11, 11, 11])]).toEqual([10, 10, 11, 11, 11, 11]);
    expect([...wholeShares(rulesFor(64, 3, equal(6)), equal(6), [11, 11, 11, 11, 10, 10])]).toEqual([11, 11, 11, 11, 10, 10]);
  });

  test('more nodes than partitions: as many have one as there are partitions', () => {
    const whole = wholeShares(rulesFor(4, 3, equal(7)), equal(7), []);
    expect([...whole].sort()).toEqual([0, 0, 0, 1, 1, 1, 1]);
  });
});
