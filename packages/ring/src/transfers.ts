/**
 * What must be copied, and what may be dropped, when one ring gives way to another (section 4.9).
 *
 * Both rings cut the circle into ranges, at different places under strategy 1. Between two neighbouring cuts of either, the
 * replicas before and after are constant, and comparing the two sets tells who gains and who drops. So the answer is in ranges,
 * for every strategy and even between strategies; under strategies 2 and 3 a range is a whole partition.
 *
 * A gainer is told everybody who held the range before, best first: the node that drops it on the gainer's behalf (in the paper
 * the nodes that lose a range offer it to the newcomer, and a node that is leaving has nothing better to do), then those who keep
 * it, beginning with the one that has been asked first least often, so that no single keeper serves everybody, then the other
 * droppers.
 */
import { assert, type BinaryString, type NodeId, type PartitionId } from '@armature/kernel';
import type { PositionRange } from './position.js';
import type { Ring } from './ring.js';

export interface Gain {
  readonly target: NodeId;
  /** Holders before the change, the best to copy from first. Empty if there were none: then there is nothing to copy. */
  readonly sources: readonly NodeId[];
}

/** A range whose replicas change. */
export interface RangeTransfer {
  /** The partition of the ring after the change that the range lies in. */
  readonly partition: PartitionId;
  readonly range: PositionRange;
  /** Who newly holds the range. */
  readonly gains: readonly Gain[];
  /** Who no longer holds it, and may drop it once everybody who gains has it. */
  readonly drops: readonly NodeId[];
}

/** All ranges whose first `n` replicas differ between two rings, in ring order, each once. */
export function transfersBetween(before: Ring, after: Ring, n: number): RangeTransfer[] {
  const transfers: RangeTransfer[] = [];
  const asked = new Map<NodeId, number>();
  let old = 0 as PartitionId;
  let now = 0 as PartitionId;
  let oldHolders = before.primariesOf(old, n);
  let newHolders = after.primariesOf(now, n);
  let oldEnd = before.rangeOf(old).end;
  let nowEnd = after.rangeOf(now).end;
  let start: BinaryString = after.rangeOf(now).start;
  for (;;) {
    const end = earlier(oldEnd, nowEnd);
    const transfer = compare(now, { start, end }, oldHolders, newHolders, asked);
    if (transfer !== undefined) transfers.push(transfer);
    if (end === undefined) return transfers;
    start = end;
    if (oldEnd === end) {
      old = (old + 1) as PartitionId;
      oldHolders = before.primariesOf(old, n);
      oldEnd = before.rangeOf(old).end;
    }
    if (nowEnd === end) {
      now = (now + 1) as PartitionId;
      newHolders = after.primariesOf(now, n);
      nowEnd = after.rangeOf(now).end;
    }
    assert(old < before.partitionCount && now < after.partitionCount, 'the last partition of a ring has no end');
  }
}

/** The change of one range, or undefined if there is none. `asked` counts how often each node was first among the sources. */
function compare(
  partition: PartitionId,
  range: PositionRange,
  before: readonly NodeId[],
  after: readonly NodeId[],
  asked: Map<NodeId, number>,
): RangeTransfer | undefined {
  const gainers = after.filter((node) => !before.includes(node));
  const drops = before.filter((node) => !after.includes(node));
  if (gainers.length === 0 && drops.length === 0) return undefined;
  const keepers = before.filter((node) => after.includes(node));
  const gains = gainers.map((target, index): Gain => {
    const giver = drops[index];
    keepers.sort((a, b) => (asked.get(a) ?? 0) - (asked.get(b) ?? 0));
    const sources = giver === undefined ? [...keepers, ...drops] : [giver, ...keepers, ...drops.filter((node) => node !== giver)];
    const first = sources[0];
    if (first !== undefined) asked.set(first, (asked.get(first) ?? 0) + 1);
    return { target, sources };
  });
  return { partition, range, gains, drops };
}

/** The earlier of two ends; undefined is the end of the ring. */
function earlier(a: BinaryString | undefined, b: BinaryString | undefined): BinaryString | undefined {
  if (a === undefined) return b;
  return b === undefined || a < b ? a : b;
}
