/**
 * Strategy 3's board: the circle of Q partitions, who owns each, and what it costs that an owner stands where it stands.
 *
 * A partition's replicas are the next nodes clockwise, so one node standing twice within N partitions makes some preference list
 * walk further, and a zone standing too close to itself makes it skip. Such a pair is a *conflict*. Conflicts never make a
 * preference list wrong, only the load less even, so they are a cost to lower, not a condition:
 *
 *   HARD   two partitions of one node closer than min(N, S), unless the node has more partitions than can stand that far apart;
 *   CLOSE  that same pair where it does, and two nodes of one zone closer than min(N, number of zones);
 *   LOOSE  two nodes of one zone further apart than that, yet closer than N: with two zones, N = 3 and twice the weight in A,
 *          this is what prefers AAB AAB to AAAB AB.
 *
 * The board is the mutable scratch of one claim; nothing of it survives but its `owners`.
 */
import { assert } from '@armature/kernel';

/** Owner of a partition that has none. */
export const NOBODY = -1;

export const HARD = 4096;
export const CLOSE = 4;
const LOOSE = 1;

/**
 * Keeps the sum of all soft conflicts of a partition, 2 * (N - 1) * CLOSE, far below one hard one, and preference lists cheap.
 */
export const MAX_TARGET_N = 32;

export interface BoardRules {
  readonly targetN: number;
  /** Zone index of each node. */
  readonly zones: ArrayLike<number>;
  readonly zoneCount: number;
  /** Partitions that each node is to own. */
  readonly shares: ArrayLike<number>;
}

export class Board {
  readonly owners: Int32Array;
  readonly rules: BoardRules;
  readonly nodeCount: number;
  /** The greatest distance of a hard conflict. */
  readonly reach: number;
  readonly #mask: number;
  readonly #closeZone: number;
  readonly #zoneReach: number;
  /** What a too close pair of this node costs. */
  readonly #pairCost: Int32Array;

  /** Takes `owners` over. Its length is a power of two. */
  constructor(owners: Int32Array, rules: BoardRules) {
    const count = owners.length;
    assert(count > 0 && (count & (count - 1)) === 0, 'the number of partitions is a power of two');
    this.owners = owners;
    this.rules = rules;
    this.nodeCount = rules.shares.length;
    this.#mask = count - 1;
    // Beyond half the circle a neighbour would be met from both sides.
    const furthest = (count - 1) >> 1;
    const spacing = Math.max(1, Math.min(rules.targetN, this.nodeCount));
    this.reach = Math.min(spacing - 1, furthest);
    this.#closeZone = Math.min(Math.min(spacing, rules.zoneCount) - 1, furthest);
    this.#zoneReach = rules.zoneCount > 1 ? this.reach : 0;
    const roomy = Math.floor(count / spacing);
    this.#pairCost = Int32Array.from(rules.shares, (share) => (share <= roomy ? HARD : CLOSE));
  }

  /** The partition at a clockwise distance from another one. */
  at(slot: number, distance: number): number {
    return (slot + distance) & this.#mask;
  }

  /** What it costs, or would cost, that `node` owns `slot`, all others being as they are. */
  cost(slot: number, node: number): number {
    const { owners, reach } = this;
    const { zones } = this.rules;
    const zone = zones[node];
    const pair = this.#pairCost[node] as number;
    let sum = 0;
    for (let distance = 1; distance <= reach; distance++) {
      const left = owners[(slot - distance) & this.#mask] as number;
      const right = owners[(slot + distance) & this.#mask] as number;
      const sameZone = distance > this.#zoneReach ? 0 : distance <= this.#closeZone ? CLOSE : LOOSE;
      if (left === node) sum += pair;
      else if (sameZone !== 0 && left !== NOBODY && zones[left] === zone) sum += sameZone;
      if (right === node) sum += pair;
      else if (sameZone !== 0 && right !== NOBODY && zones[right] === zone) sum += sameZone;
    }
    return sum;
  }

  /** Whether `node` stands, or would stand, at `slot` without a hard conflict. */
  fits(slot: number, node: number): boolean {
    return this.cost(slot, node) < HARD;
  }

  ownerOf(slot: number): number {
    return this.owners[slot] as number;
  }
}
