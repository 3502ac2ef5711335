/**
 * The ring cut into Q equal arcs (strategies 2 and 3). Q is a power of two of at most 2^16, so a partition is the top
 * bits of a position: two characters and a shift, on the path of every request.
 */
import { assert, type BinaryString, type PartitionId } from '@armature/kernel';
import { type Address, POSITION_BYTES, type PositionRange } from './position.js';

/** 2^16 arcs are three orders of magnitude more than a node of a few hundred needs, and two bytes of position name one. */
export const MAX_PARTITIONS = 65_536;

const ZERO_TAIL = '\0'.repeat(POSITION_BYTES - 2);

export function isPartitionCount(count: number): boolean {
  return Number.isInteger(count) && count >= 1 && count <= MAX_PARTITIONS && (count & (count - 1)) === 0;
}

/** How far to shift the top 16 bits of a position for its partition. */
export function partitionShift(partitionCount: number): number {
  return 16 - Math.log2(partitionCount);
}

export function equalPartitionOf(address: Address, shift: number): PartitionId {
  return (((address.charCodeAt(0) << 8) | address.charCodeAt(1)) >>> shift) as PartitionId;
}

/** The arc of one of `partitionCount` equal partitions. */
export function partitionRange(partition: number, partitionCount: number): PositionRange {
  assert(isPartitionCount(partitionCount), 'the number of equal partitions is a power of two up to 2^16');
  assert(Number.isInteger(partition) && partition >= 0 && partition < partitionCount, 'a partition of this ring');
  return {
    start: boundary(partition, partitionCount),
    end: partition + 1 === partitionCount ? undefined : boundary(partition + 1, partitionCount),
  };
}

function boundary(partition: number, partitionCount: number): BinaryString {
  const top = partition << partitionShift(partitionCount);
  return (String.fromCharCode(top >>> 8, top & 0xff) + ZERO_TAIL) as BinaryString;
}
