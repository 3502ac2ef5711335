/**
 * Whether a node has stated that its store was lost though it was not. It then discards what it holds and is filled again, so
 * that a cluster whose nodes did so at one time would lose what all of them held.
 *
 * The claim: whoever says so has a disk that was replaced: by an empty one, by an older state of it, or by that of another
 * process of the name. No crash of a process or of a machine, and no record that rots, is a reason.
 */
import type { NodeId } from '@armature/kernel';
import type { Member } from '@armature/membership';
import type { Mishap } from '../world/disk.js';

export function needlessLosses(
  members: Iterable<Pick<Member, 'node' | 'loss'>>,
  mishapsOf: (node: NodeId) => readonly Pick<Mishap, 'kind'>[],
): string[] {
  return [...members].flatMap(({ node, loss }) =>
    loss === undefined || mishapsOf(node).some(({ kind }) => kind === 'replaced')
      ? []
      : [`needless: ${node} has stated that its store was lost, and its disk was never replaced`],
  );
}
