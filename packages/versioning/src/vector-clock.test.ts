import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EMPTY_VECTOR_CLOCK,
  PAPER_TRUNCATION_THRESHOLD,
  compareVectorClocks,
  incrementVectorClock,
  mergeVectorClocks,
  reconcileVectorClocks,
  truncateVectorClock,
  type VectorClock,
} from './vector-clock.js';

const nodes = (clock: VectorClock): string[] => clock.map(({ node }) => node);
const clockOf = (writers: readonly string[]): VectorClock =>
  writers.reduce((clock: VectorClock, node, i) => incrementVectorClock(clock, node, i), EMPTY_VECTOR_CLOCK);
const clock = fc.array(fc.constantFrom('sx', 'sy', 'sz', 'toString'), { maxLength: 6 }).map(clockOf);

describe("the paper's vector clocks", () => {
  it('figure 3: Sx writes twice, Sy and Sz branch, Sx reconciles', () => {
    const d2 = clockOf(['sx', 'sx']);
    const d3 = incrementVectorClock(d2, 'sy', 3);
    const d4 = incrementVectorClock(d2, 'sz', 4);
    expect(compareVectorClocks(d2, d3)).toBe('before');
    expect(compareVectorClocks(d3, d4)).toBe('concurrent');
    expect(
      reconcileVectorClocks([d2, d3, d4].map((clock, i) => ({ clock, value: `d${i + 2}` }))).map(({ value }) => value),
    ).toEqual(['d3', 'd4']);
    const d5 = incrementVectorClock(mergeVectorClocks(d3, d4), 'sx', 5);
    expect(d5.map(({ node, counter }) => `${node}${counter}`)).toEqual(['sx3', 'sy1', 'sz1']);
    expect([d2, d3, d4].map((older) => compareVectorClocks(d5, older))).toEqual(['after', 'after', 'after']);
  });

  it('merge is the least clock that descends both', () => {
    fc.assert(
      fc.property(clock, clock, clock, (a, b, upper) => {
        const merged = mergeVectorClocks(a, b);
        const notBelow = (x: VectorClock, y: VectorClock): boolean => ['after', 'equal'].includes(compareVectorClocks(x, y));
        expect(notBelow(merged, a) && notBelow(merged, b)).toBe(true);
        if (notBelow(upper, a) && notBelow(upper, b)) expect(notBelow(upper, merged)).toBe(true);
        expect(merged).toEqual(mergeVectorClocks(b, a));
      }),
    );
  });

  it('reconciliation keeps an antichain, and somebody above whatever went', () => {
    fc.assert(
      fc.property(fc.array(clock, { maxLength: 6 }), (clocks) => {
        const kept = reconcileVectorClocks(clocks.map((clock, value) => ({ clock, value })));
        for (const a of kept) for (const b of kept) if (a !== b) expect(compareVectorClocks(a.clock, b.clock)).toBe('concurrent');
        for (const gone of clocks)
          expect(kept.some(({ clock }) => ['after', 'equal'].includes(compareVectorClocks(clock, gone)))).toBe(true);
      }),
    );
  });

  it('truncation is off unless asked for', () => {
    expect(clockOf(Array.from({ length: 40 }, (_, i) => `n${i}`))).toHaveLength(40);
  });

  it('truncation at ten pairs: the pair updated longest ago goes, not the smallest or the first', () => {
    const ten = Array.from({ length: PAPER_TRUNCATION_THRESHOLD }, (_, i) => `n${i}`);
    const touched = incrementVectorClock(clockOf(ten), 'n0', 100);
    const eleventh = incrementVectorClock(touched, 'newcomer', 101, PAPER_TRUNCATION_THRESHOLD);
    expect(nodes(eleventh)).toEqual(['n0', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8', 'n9', 'newcomer']);
    expect(truncateVectorClock(eleventh)).toBe(eleventh);
  });

  it('truncation keeps the pair just updated even where the machine clock ran backwards', () => {
    expect(nodes(incrementVectorClock(clockOf(['a', 'b', 'c']), 'd', -1, 2))).toEqual(['c', 'd']);
    expect(nodes(incrementVectorClock(clockOf(['a', 'b', 'c']), 'd', -1, 1))).toEqual(['d']);
  });

  it('truncation makes false concurrency: a descendant no longer descends', () => {
    const ancestor = clockOf(['a', 'b']);
    const descendant = incrementVectorClock(ancestor, 'c', 3, 2);
    expect(compareVectorClocks(descendant, ancestor)).toBe('concurrent');
  });
});
