/**
 * The repair pass of a claim: lowers the conflicts on the board by exchanging owners, never changing anybody's share.
 *
 *   1. Free swaps. Two partitions of which this claim has already moved one exchange their owners, so that no more is
 *      transferred than before: a newcomer that stands badly takes another partition of the same node, and gives that one back.
 *   2. Chains for hard conflicts, the shortest first, and a second time for those that the others have made room for.
 *   3. Paid swaps for what is left (zones, mostly), up to the number of extra moves that the caller allows.
 *
 * All of it is bounded, so that a board on which conflicts are inevitable costs milliseconds, not a search without end.
 */
import type { Random } from '@armature/kernel';
import { type Allowance, fillByChain, MAX_CHAIN_DEPTH, SCAN } from './ejection.js';
import { type Board, CLOSE, NOBODY } from './spacing.js';

/** Rounds over the circle, for hard conflicts and for swaps: each finds what the one before opened, and soon nothing more. */
const HARD_ROUNDS = 2;
const SWAP_ROUNDS = 3;

/** Swaps weighed per pass, about 50 ns each. */
const SWAP_ALLOWANCE = 262_144;

/** Moves beyond the assignment `before` that a swap may cost: both partitions had stayed where they were. */
const MOVES_PER_SWAP = 2;

/**
 * Lowers conflicts. `before` is the assignment ahead of the change; at most `extraMoves` more partitions leave it for soft
 * conflicts.
 */
export function repairSpacing(board: Board, before: Int32Array, extraMoves: number, random: Random, allowance: Allowance): void {
  swapRounds(board, before, 0, random);
  chainRounds(board, random, allowance);
  swapRounds(board, before, extraMoves, random);
}

function chainRounds(board: Board, random: Random, allowance: Allowance): void {
  const { owners } = board;
  for (let round = 0; round < HARD_ROUNDS; round++) {
    const start = random.int(owners.length);
    let conflicts = 0;
    for (let i = 0; i < owners.length && allowance.vacancies > 0; i++) {
      const slot = board.at(start, i);
      const owner = board.ownerOf(slot);
      if (board.fits(slot, owner)) continue;
      conflicts++;
      owners[slot] = NOBODY;
      let placed = NOBODY;
      for (let depth = 0; depth <= MAX_CHAIN_DEPTH && placed === NOBODY; depth++) {
        placed = fillByChain(board, slot, depth, (node) => node === owner, random, allowance);
      }
      if (placed === NOBODY) owners[slot] = owner;
    }
    if (conflicts === 0) return;
  }
}

function swapRounds(board: Board, before: Int32Array, extraMoves: number, random: Random): void {
  const { owners } = board;
  const swaps = { left: SWAP_ALLOWANCE };
  let movesLeft = extraMoves;
  for (let round = 0; round < SWAP_ROUNDS; round++) {
    const start = random.int(owners.length);
    let improved = false;
    for (let i = 0; i < owners.length && swaps.left > 0; i++) {
      const slot = board.at(start, i);
      const owner = board.ownerOf(slot);
      if (board.cost(slot, owner) < CLOSE) continue;
      const swap = bestSwap(board, before, slot, Math.min(movesLeft, MOVES_PER_SWAP), random, swaps);
      if (swap === undefined) continue;
      owners[slot] = board.ownerOf(swap.other);
      owners[swap.other] = owner;
      movesLeft -= Math.max(0, swap.moves);
      improved = true;
    }
    if (!improved) return;
  }
}

/** The swap of `slot` that lowers conflicts most, and of equal ones the one with the fewest extra moves. */
function bestSwap(
  board: Board,
  before: Int32Array,
  slot: number,
  maxMoves: number,
  random: Random,
  swaps: { left: number },
): { other: number; moves: number } | undefined {
  const { owners } = board;
  const owner = board.ownerOf(slot);
  const ownCost = board.cost(slot, owner);
  const start = random.int(owners.length);
  let best: { other: number; moves: number } | undefined;
  let bestScore = 0;
  const scan = Math.min(owners.length, SCAN);
  swaps.left -= scan;
  for (let i = 0; i < scan; i++) {
    const other = board.at(start, i);
    const otherOwner = board.ownerOf(other);
    if (otherOwner === owner) continue;
    const moves =
      moved(before, slot, otherOwner) +
      moved(before, other, owner) -
      moved(before, slot, owner) -
      moved(before, other, otherOwner);
    if (moves > maxMoves) continue;
    const cost = ownCost + board.cost(other, otherOwner);
    owners[slot] = otherOwner;
    owners[other] = owner;
    const gain = cost - board.cost(slot, otherOwner) - board.cost(other, owner);
    owners[slot] = owner;
    owners[other] = otherOwner;
    if (gain < CLOSE) continue;
    const score = gain * CLOSE - moves;
    if (score > bestScore) {
      best = { other, moves };
      bestScore = score;
    }
  }
  return best;
}

function moved(before: Int32Array, slot: number, owner: number): number {
  return before[slot] === owner ? 0 : 1;
}
