/**
 * Claim: strategy 3's assignment of Q equal partitions to nodes, made anew at each change of membership (section 6.2: a leaving
 * node's tokens are distributed over the rest, a joining node steals tokens, so that everyone keeps Q/S).
 *
 * It serves three ends that pull apart, in this order:
 *
 *   shares    everyone owns the floor or ceiling of his fair share (`shares.ts`), exactly, always;
 *   spacing   any N consecutive partitions belong to distinct nodes and to distinct zones, where possible (`spacing.ts`);
 *   moves     as few partitions as possible change hands: no fewer than the nodes lack together can.
 *
 * First the partitions without an owner go to the nodes that lack most. Then each node that still lacks some steals: it divides
 * the circle into as many arcs as it lacks partitions and takes one in each arc, from whom has most to give. What does not fit
 * without a conflict is placed by ejection chains (`ejection.ts`), and what conflicts remain are repaired (`repair.ts`). All
 * choices come from a seeded random stream, so equal histories give equal rings, and yet neighbourhoods are mixed: a node that
 * fails is not always followed by the same one.
 */
import { assert, type Random, shuffle } from '@armature/kernel';
import { type Allowance, fillByChain, MAX_CHAIN_DEPTH } from './ejection.js';
import { repairSpacing } from './repair.js';
import { Board, type BoardRules, HARD, NOBODY } from './spacing.js';

/**
 * Vacancies that chains may examine in one claim: ten milliseconds or so, spent only on boards so full that conflicts are all
 * but inevitable.
 */
const CHAIN_ALLOWANCE = 3000;

/** Extra moves allowed for soft conflicts, as a part of the moves that the change needs anyway; at least one swap. */
const EXTRA_MOVES = 1 / 20;
const LEAST_EXTRA_MOVES = 2;

/** Partitions tried, per chain depth, as the start of a chain for a node that lacks some. */
const CHAIN_STARTS = 256;

/**
 * The assignment after a change. `before` names the owner of each partition, NOBODY where it left; it is not modified. The result
 * owns exactly `rules.shares`. At most 2^16 partitions: tens of milliseconds then, a fraction of one at Q = 256.
 */
export function claimPartitions(before: Int32Array, rules: BoardRules, random: Random): Int32Array {
  const board = new Board(before.slice(), rules);
  const lacks = Int32Array.from(rules.shares);
  for (const owner of before) if (owner !== NOBODY) lacks[owner] = (lacks[owner] as number) - 1;
  const needed = lacks.reduce((sum, lack) => sum + Math.max(0, lack), 0);
  const allowance: Allowance = { vacancies: CHAIN_ALLOWANCE };

  const unfilled = fillVacancies(board, lacks, random);
  for (let node = 0; node < board.nodeCount; node++) stealEvenly(board, lacks, node, random);
  for (const slot of unfilled) fillHard(board, lacks, slot, random, allowance);
  stealHard(board, lacks, random, allowance);
  assert(
    lacks.every((lack) => lack === 0),
    'everyone owns his share',
  );
  repairSpacing(board, before, Math.max(LEAST_EXTRA_MOVES, Math.ceil(needed * EXTRA_MOVES)), random, allowance);
  return board.owners;
}

/**
 * Gives each partition without an owner to the node that fits best, and of equal ones to the one that lacks most of its share.
 * Returns those that nobody fits.
 */
function fillVacancies(board: Board, lacks: Int32Array, random: Random): number[] {
  const { owners, rules } = board;
  const vacancies: number[] = [];
  owners.forEach((owner, slot) => {
    if (owner === NOBODY) vacancies.push(slot);
  });
  return shuffle(random, vacancies).filter((slot) => {
    let best = NOBODY;
    let bestCost = HARD;
    let bestLack = 0;
    for (let node = 0; node < board.nodeCount; node++) {
      const lack = lacks[node] as number;
      if (lack <= 0) continue;
      const cost = board.cost(slot, node);
      const relative = lack / (rules.shares[node] as number);
      if (cost > bestCost || cost >= HARD || (cost === bestCost && relative <= bestLack)) continue;
      best = node;
      bestCost = cost;
      bestLack = relative;
    }
    if (best === NOBODY) return true;
    give(board, lacks, slot, best);
    return false;
  });
}

/** Lets a node take one partition in each of as many arcs of the circle as it lacks partitions, where one fits. */
function stealEvenly(board: Board, lacks: Int32Array, thief: number, random: Random): void {
  const count = lacks[thief] as number;
  if (count <= 0) return;
  const { owners } = board;
  const spare = lacks.map((lack) => Math.max(0, -lack));
  const arc = owners.length / count;
  const offset = random.float() * arc;
  for (let i = 0; i < count; i++) {
    const start = Math.ceil(offset + i * arc);
    const end = Math.ceil(offset + (i + 1) * arc);
    let best = NOBODY;
    let bestScore = Infinity;
    for (let turn = start; turn < end; turn++) {
      const slot = board.at(turn, 0);
      const owner = board.ownerOf(slot);
      if (owner === NOBODY || (lacks[owner] as number) >= 0) continue;
      const cost = board.cost(slot, thief);
      if (cost >= HARD) continue;
      // Conflicts count first, then how much of what it has to spare the owner still has.
      const spared = -(lacks[owner] as number) / (spare[owner] as number);
      const score = cost - board.cost(slot, owner) - spared;
      if (score >= bestScore) continue;
      best = slot;
      bestScore = score;
    }
    if (best !== NOBODY) give(board, lacks, best, thief);
  }
}

/** Fills a partition that fits nobody who lacks one: by a chain, or else where it conflicts least. */
function fillHard(board: Board, lacks: Int32Array, slot: number, random: Random, allowance: Allowance): void {
  for (let depth = 0; depth <= MAX_CHAIN_DEPTH; depth++) {
    const placed = fillByChain(board, slot, depth, (node) => (lacks[node] as number) > 0, random, allowance);
    if (placed === NOBODY) continue;
    lacks[placed] = (lacks[placed] as number) - 1;
    return;
  }
  give(board, lacks, slot, leastCost(board, lacks, slot));
}

/**
 * Moves what is still too much in one place to where it lacks: by chains, the shortest first, or else where it conflicts least.
 */
function stealHard(board: Board, lacks: Int32Array, random: Random, allowance: Allowance): void {
  const { owners } = board;
  const spared = (): number[] => [...owners.keys()].filter((slot) => (lacks[board.ownerOf(slot)] as number) < 0);
  for (let depth = 0; depth <= MAX_CHAIN_DEPTH; depth++) {
    for (const slot of shuffle(random, spared()).slice(0, CHAIN_STARTS)) {
      const owner = board.ownerOf(slot);
      if ((lacks[owner] as number) >= 0) continue;
      owners[slot] = NOBODY;
      const placed = fillByChain(board, slot, depth, (node) => (lacks[node] as number) > 0, random, allowance);
      if (placed === NOBODY) {
        owners[slot] = owner;
        continue;
      }
      lacks[owner] = (lacks[owner] as number) + 1;
      lacks[placed] = (lacks[placed] as number) - 1;
    }
  }
  for (const slot of shuffle(random, spared())) {
    if ((lacks[board.ownerOf(slot)] as number) < 0) give(board, lacks, slot, leastCost(board, lacks, slot));
  }
}

/** The node that lacks partitions and would conflict least at `slot`. */
function leastCost(board: Board, lacks: Int32Array, slot: number): number {
  let best = NOBODY;
  let bestCost = Infinity;
  for (let node = 0; node < board.nodeCount; node++) {
    if ((lacks[node] as number) <= 0) continue;
    const cost = board.cost(slot, node);
    if (cost >= bestCost) continue;
    best = node;
    bestCost = cost;
  }
  assert(best !== NOBODY, 'as many partitions are lacked as are spared');
  return best;
}

function give(board: Board, lacks: Int32Array, slot: number, node: number): void {
  const owner = board.ownerOf(slot);
  if (owner !== NOBODY) lacks[owner] = (lacks[owner] as number) + 1;
  lacks[node] = (lacks[node] as number) - 1;
  board.owners[slot] = node;
}
