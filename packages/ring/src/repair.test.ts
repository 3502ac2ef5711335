import { seededRandom } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fillByChain, MAX_CHAIN_DEPTH } from './ejection.js';
import { formPartitions } from './form.js';
import { repairSpacing } from './repair.js';
import { Board, type BoardRules, NOBODY } from './spacing.js';

const PARTITIONS = 64;
const ALLOWANCE = 3000;

/** Equal nodes, N = 3, in zones of about equal size. */
function rulesFor(nodes: number, zoneCount = 1): BoardRules {
  const shares = Array.from({ length: nodes }, (_, node) => Math.floor((PARTITIONS + node) / nodes));
  return { targetN: 3, zones: shares.map((_, node) => node % zoneCount), zoneCount, shares };
}

function counts(owners: Int32Array, nodes: number): number[] {
  const out = new Array<number>(nodes).fill(0);
  for (const owner of owners) if (owner !== NOBODY) out[owner] = (out[owner] as number) + 1;
  return out;
}

const hardConflicts = (board: Board): number =>
  [...board.owners].filter((owner, slot) => owner !== NOBODY && !board.fits(slot, owner)).length;
const totalCost = (board: Board): number => board.owners.reduce((sum, owner, slot) => sum + board.cost(slot, owner), 0);
const movesFrom = (before: Int32Array, after: Int32Array): number => before.filter((owner, slot) => owner !== after[slot]).length;

function scrambled(owners: Int32Array, swaps: readonly (readonly [number, number])[]): Int32Array {
  const out = owners.slice();
  for (const [a, b] of swaps) [out[a], out[b]] = [out[b] as number, out[a] as number];
  return out;
}

const places = fc.nat(PARTITIONS - 1);
const someSwaps = fc.array(fc.tuple(places, places), { minLength: 1, maxLength: 6 });
const seeds = fc.nat().map(String);

describe('ejection chain', () => {
  test('the wanting node gains a partition, nobody else gains or loses, no hard conflict arises; or nothing changed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 9 }),
        places,
        fc.nat(),
        fc.nat(MAX_CHAIN_DEPTH),
        seeds,
        (nodes, slot, who, depth, seed) => {
          const owners = formPartitions(PARTITIONS, rulesFor(nodes), seededRandom(seed));
          const board = new Board(owners.slice(), rulesFor(nodes));
          fc.pre(hardConflicts(board) === 0);
          const wanting = who % nodes;
          board.owners[slot] = NOBODY;
          const vacated = board.owners.slice();
          const placed = fillByChain(board, slot, depth, (node) => node === wanting, seededRandom(seed), {
            vacancies: ALLOWANCE,
          });
          if (placed === NOBODY) {
            expect(board.owners).toEqual(vacated);
            return;
          }
          expect(placed).toBe(wanting);
          expect(hardConflicts(board)).toBe(0);
          const expected = counts(vacated, nodes);
          expected[wanting] = (expected[wanting] as number) + 1;
          expect(counts(board.owners, nodes)).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('an empty allowance ends the search at once, with the board as it was', () => {
    const board = new Board(formPartitions(PARTITIONS, rulesFor(5), seededRandom('a')), rulesFor(5));
    board.owners[7] = NOBODY;
    const vacated = board.owners.slice();
    expect(fillByChain(board, 7, MAX_CHAIN_DEPTH, () => true, seededRandom('b'), { vacancies: 0 })).toBe(NOBODY);
    expect(board.owners).toEqual(vacated);
  });
});

describe('repair', () => {
  test('S >= 2N: chains alone resolve every hard conflict, and nobody owns more or less than before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 12 }), someSwaps, seeds, (nodes, swaps, seed) => {
        const before = scrambled(formPartitions(PARTITIONS, rulesFor(nodes), seededRandom(seed)), swaps);
        const board = new Board(before.slice(), rulesFor(nodes));
        // Compared with itself, every swap costs moves, and none is allowed.
        repairSpacing(board, before, 0, seededRandom(seed), { vacancies: ALLOWANCE });
        expect(hardConflicts(board)).toBe(0);
        expect(counts(board.owners, nodes)).toEqual(counts(before, nodes));
      }),
    );
  });

  test('free swaps lower conflicts of zones and never move more than was moved before', () => {
    let repaired = 0;
    fc.assert(
      fc.property(someSwaps, seeds, (swaps, seed) => {
        const rules = rulesFor(15, 5);
        const before = formPartitions(PARTITIONS, rules, seededRandom(seed));
        const board = new Board(scrambled(before, swaps), rules);
        const moves = movesFrom(before, board.owners);
        const cost = totalCost(board);
        repairSpacing(board, before, 0, seededRandom(seed), { vacancies: 0 });
        expect(movesFrom(before, board.owners)).toBeLessThanOrEqual(moves);
        expect(totalCost(board)).toBeLessThanOrEqual(cost);
        if (totalCost(board) < cost) repaired++;
      }),
    );
    expect(repaired).toBeGreaterThan(50);
  });

  test('paid swaps move no more than they are allowed', () => {
    fc.assert(
      fc.property(someSwaps, fc.nat(6), seeds, (swaps, extraMoves, seed) => {
        const rules = rulesFor(15, 5);
        const before = scrambled(formPartitions(PARTITIONS, rules, seededRandom(seed)), swaps);
        const board = new Board(before.slice(), rules);
        repairSpacing(board, before, extraMoves, seededRandom(seed), { vacancies: 0 });
        expect(movesFrom(before, board.owners)).toBeLessThanOrEqual(extraMoves);
      }),
    );
  });
});
