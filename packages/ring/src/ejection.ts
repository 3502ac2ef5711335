/**
 * Ejection chains: how one partition finds an owner when nobody who wants it fits.
 *
 * Shares are exact, so a partition that its wanted owner cannot take without a hard conflict needs others to step aside:
 *
 *   0. a node that still wants partitions fits here: done;
 *   1. somebody else fits here, and one of *his* partitions, anywhere on the circle, suits a node that wants: he moves over, and
 *      it follows;
 *   2. a close neighbour is the only obstacle to itself: it moves over, and the partition it left is the one without an owner.
 *      Repeat there.
 *
 * Each step moves one partition more than strictly needed, and a step of kind 2 moves it a short way, where most replicas already
 * are. With S >= 2N nodes nearly all chains end in step 0 or 1; step 2 is what finds the few arrangements that exist when S is
 * just above N. The search goes depth first to a given depth; callers deepen it one by one, so that the shortest chain is found
 * first, and pay from one allowance.
 */
import type { Random } from '@armature/kernel';
import { type Board, HARD, NOBODY } from './spacing.js';

/**
 * Length of the longest chain, in steps of kind 2. Each level multiplies the work by up to 2(N - 1); a fifth and
 * sixth settled three more conflicts in 500 tight rings, and took ten times as long where there was nothing to find.
 */
export const MAX_CHAIN_DEPTH = 4;

/** Partitions looked at for one step of kind 1 (or one swap): enough to meet every node of a few hundred, whatever Q is. */
export const SCAN = 512;

/** What is left to spend on chains in this claim, in vacancies examined (a few us each). */
export interface Allowance {
  vacancies: number;
}

/**
 * Fills the vacant `slot` at the end of a chain of at most `depth` ejections. Returns the wanting node that received a partition
 * somewhere, or NOBODY, with the board as it was.
 */
export function fillByChain(
  board: Board,
  slot: number,
  depth: number,
  wants: (node: number) => boolean,
  random: Random,
  allowance: Allowance,
): number {
  if (allowance.vacancies <= 0) return NOBODY;
  allowance.vacancies--;
  const { owners } = board;
  const fitting = new Uint8Array(board.nodeCount);
  let best = NOBODY;
  let bestCost = HARD;
  for (let node = 0; node < board.nodeCount; node++) {
    const cost = board.cost(slot, node);
    if (cost < HARD) fitting[node] = 1;
    if (cost < bestCost && wants(node)) {
      best = node;
      bestCost = cost;
    }
  }
  if (best !== NOBODY) {
    owners[slot] = best;
    return best;
  }
  const placed = fillByMover(board, slot, fitting, wants, random);
  return placed !== NOBODY || depth === 0 ? placed : fillByNeighbour(board, slot, depth, wants, random, allowance);
}

/** Step 1: a fitting node moves here from anywhere, and a wanting one takes what it left. */
function fillByMover(board: Board, slot: number, fitting: Uint8Array, wants: (node: number) => boolean, random: Random): number {
  const { owners } = board;
  const start = random.int(owners.length);
  for (let i = Math.min(owners.length, SCAN) - 1; i >= 0; i--) {
    const left = board.at(start, i);
    const mover = board.ownerOf(left);
    if (mover === NOBODY || fitting[mover] === 0) continue;
    owners[left] = NOBODY;
    owners[slot] = mover;
    for (let node = 0; node < board.nodeCount; node++) {
      if (node === mover || !wants(node) || !board.fits(left, node)) continue;
      owners[left] = node;
      return node;
    }
    owners[slot] = NOBODY;
    owners[left] = mover;
  }
  return NOBODY;
}

/** Step 2: a neighbour moves here, and what it left is the vacancy to fill. */
function fillByNeighbour(
  board: Board,
  slot: number,
  depth: number,
  wants: (node: number) => boolean,
  random: Random,
  allowance: Allowance,
): number {
  const { owners } = board;
  for (let distance = -board.reach; distance <= board.reach; distance++) {
    const left = board.at(slot, distance);
    const neighbour = board.ownerOf(left);
    if (distance === 0 || neighbour === NOBODY) continue;
    owners[left] = NOBODY;
    owners[slot] = neighbour;
    if (board.fits(slot, neighbour)) {
      const placed = fillByChain(board, left, depth - 1, wants, random, allowance);
      if (placed !== NOBODY) return placed;
    }
    owners[slot] = NOBODY;
    owners[left] = neighbour;
  }
  return NOBODY;
}
