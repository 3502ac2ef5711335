/**
 * Strategy 2: T random tokens per node, and Q equal partitions (section 6.2).
 *
 * Tokens only order the nodes: a partition's walk begins at the first token beyond the partition's end. Partitioning and
 * placement are thereby decoupled, which made it the paper's stepping stone to strategy 3; its balance is that of random tokens,
 * made a little worse by rounding to partitions, and its metadata are both tokens and partitions. Kept for comparison.
 */
import type { PartitionId } from '@armature/kernel';
import { circleOf, CircleRing } from './circle-ring.js';
import { equalPartitionOf, partitionRange, partitionShift } from './equal-partitions.js';
import { randomTokens } from './random-tokens.js';
import type { Ring, RingMember, RingSettings } from './ring.js';

export function orderedTokenRing(settings: RingSettings, members: readonly RingMember[]): Ring {
  const { partitionCount } = settings;
  const shift = partitionShift(partitionCount);
  const { positions, owners } = randomTokens(settings, members);
  const firstTokens = new Int32Array(partitionCount);
  let token = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    const { end } = partitionRange(partition, partitionCount);
    while (token < positions.length && (end === undefined || (positions[token] ?? end) < end)) token++;
    firstTokens[partition] = token === positions.length ? 0 : token;
  }
  return new CircleRing(settings, members, circleOf(members, owners), {
    partitionCount,
    partitionOf: (address) => equalPartitionOf(address, shift),
    rangeOf: (partition: PartitionId) => partitionRange(partition, partitionCount),
    firstToken: (partition) => firstTokens[partition] as number,
  });
}
