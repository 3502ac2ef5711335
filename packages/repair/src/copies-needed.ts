/**
 * How many copies vouch for a partition (paper, section 4.9). A write was acknowledged by W owners, and which ones is not known.
 * So whoever says that it holds every such write has copied so many of the present owners that each W of them have one among
 * them, for each N of which it is to hold keys.
 */
import { ArmatureError, type NodeId } from '@armature/kernel';
import type { PendingCopy, View } from '@armature/membership';

/** Owners copied from, by N. */
export type Copied = ReadonlyMap<number, ReadonlySet<NodeId>>;

/** The copies without those of the silent. */
export function heard(copied: Copied, silent: ReadonlySet<NodeId>): Copied {
  return new Map([...copied].map(([n, from]) => [n, new Set([...from].filter((node) => !silent.has(node)))]));
}

/** Why these copies are not enough to vouch for the partition; undefined: they are. */
export function shortfall(
  view: Pick<View, 'leastW'>,
  { partition, groups }: PendingCopy,
  copied: Copied,
  failures: readonly string[],
): ArmatureError | undefined {
  for (const { n, owners } of groups) {
    const needed = Math.min(owners.length, ownersToCopy(view, n));
    const enough = owners.filter((owner) => copied.get(n)?.has(owner) === true).length;
    if (enough >= needed) continue;
    return new ArmatureError(
      'unavailable',
      `partition ${partition} could be copied from ${enough} of its ${owners.length} owners, ${needed} are needed (${failures.join('; ')})`,
      { remedy: 'It is tried again by itself. Bring the owners back, or remove those that are gone for good.' },
    );
  }
  return undefined;
}

/**
 * So many owners have every write among them that W of N acknowledged, W being the smallest that a bucket with this N has ever
 * had: to raise it does not put more copies of what is there already. It is so where owners are missing, too: who was removed, or
 * has lost its store, may have been among the W, and of those who are left fewer have the write.
 */
function ownersToCopy(view: Pick<View, 'leastW'>, n: number): number {
  const w = Math.min(n, view.leastW.get(n) ?? 1);
  return n - w + 1;
}
