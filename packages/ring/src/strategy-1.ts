/**
 * Strategy 1: T random tokens per node, and partition by token value (section 6.2).
 *
 * The tokens themselves are the boundaries. A key belongs to the first token clockwise beyond it, so the arc between two tokens
 * is the later one's. Arcs vary widely in size, a join cuts the arcs of others in two, and their trees have to be made again: the
 * paper's reasons to leave it. It is kept for comparison, and for whoever grows a ring without having to guess Q.
 *
 * Partitions are half-open ranges from position 0, so k tokens make k + 1 of them: the arc across position 0 is two, of the same
 * nodes.
 */
import type { PartitionId } from '@armature/kernel';
import { circleOf, CircleRing } from './circle-ring.js';
import { RING_START } from './position.js';
import { countUpTo, randomTokens } from './random-tokens.js';
import type { Ring, RingMember, RingSettings } from './ring.js';

export function tokenRing(settings: RingSettings, members: readonly RingMember[]): Ring {
  const { positions, owners } = randomTokens(settings, members);
  return new CircleRing(settings, members, circleOf(members, owners), {
    partitionCount: positions.length + 1,
    partitionOf: (address) => countUpTo(positions, address) as PartitionId,
    rangeOf: (partition) => ({ start: positions[partition - 1] ?? RING_START, end: positions[partition] }),
    firstToken: (partition) => (partition === positions.length ? 0 : partition),
  });
}
