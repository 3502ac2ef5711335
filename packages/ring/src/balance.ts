/**
 * How evenly a ring spreads load, and what it costs to know it (sections 6.1 and 6.2, figures 6 and 8).
 *
 *   load              of a node: the sum of the loads of all partitions it is a primary of
 *   efficiency        mean load / load of the hottest node, both per unit of weight; 1 is perfect
 *   out of balance    a node whose load per weight is more than 15 % off the mean
 *   metadata          what every node must hold and gossip to know who holds what
 */
import type { BinaryString, NodeId, PartitionId } from '@armature/kernel';
import { POSITION_BYTES } from './position.js';
import type { Ring } from './ring.js';

/** Figure 6's line between balanced and not. */
export const OUT_OF_BALANCE = 0.15;

/** A node is named by its index in the list of members, which every strategy needs alike and none is charged for. */
const NODE_REFERENCE_BYTES = 2;

export interface Balance {
  /** Load of each member, in the unit of the partition loads. */
  readonly loads: ReadonlyMap<NodeId, number>;
  /** 0 to 1. 1 for a ring without members or without load. */
  readonly efficiency: number;
  /** Part of the members that is out of balance, 0 to 1. */
  readonly outOfBalance: number;
}

/**
 * The balance of a ring under reads and writes to `n` replicas. `partitionLoads` is any additive measure per partition (requests,
 * bytes); without it, keys are uniform, and a partition's load is the part of the circle that it covers.
 */
export function balanceOf(ring: Ring, n: number, partitionLoads: ArrayLike<number> = arcLengths(ring)): Balance {
  const loads = new Map<NodeId, number>(ring.members.map(({ node }) => [node, 0]));
  let total = 0;
  for (let partition = 0; partition < ring.partitionCount; partition++) {
    const load = partitionLoads[partition] ?? 0;
    for (const node of ring.primariesOf(partition as PartitionId, n)) {
      loads.set(node, (loads.get(node) ?? 0) + load);
      total += load;
    }
  }
  if (total === 0) return { loads, efficiency: 1, outOfBalance: 0 };
  const mean = total / ring.members.reduce((sum, { weight }) => sum + weight, 0);
  const relative = ring.members.map(({ node, weight }) => (loads.get(node) ?? 0) / weight / mean);
  return {
    loads,
    efficiency: 1 / Math.max(...relative),
    outOfBalance: relative.filter((load) => Math.abs(load - 1) > OUT_OF_BALANCE).length / relative.length,
  };
}

/**
 * Bytes of placement metadata at each node. Strategy 1: a position and an owner per token. Strategy 2: the same, and an owner per
 * partition, since partitions are placed and moved as units. Strategy 3: an owner per partition, whose index is its position.
 */
export function metadataBytes(ring: Ring): number {
  const perToken = POSITION_BYTES + NODE_REFERENCE_BYTES;
  switch (ring.strategy) {
    case 1:
      return ring.tokenCount * perToken;
    case 2:
      return ring.tokenCount * perToken + ring.partitionCount * NODE_REFERENCE_BYTES;
    case 3:
      return ring.partitionCount * NODE_REFERENCE_BYTES;
  }
}

/** The part of the circle that each partition covers; they sum to 1. */
function arcLengths(ring: Ring): Float64Array {
  return Float64Array.from({ length: ring.partitionCount }, (_, partition) => {
    const { start, end } = ring.rangeOf(partition as PartitionId);
    return (end === undefined ? 1 : fraction(end)) - fraction(start);
  });
}

/** A position as a part of the circle, from its first 6 bytes: a double holds no more exactly. */
function fraction(position: BinaryString): number {
  let sum = 0;
  for (let i = 5; i >= 0; i--) sum = (sum + position.charCodeAt(i)) / 256;
  return sum;
}
