/**
 * Whether what nobody needs goes, once a cluster rests: tombstones, and entries of clocks that have no version. Each unclean stop
 * of a node adds an entry to the clocks of the keys that it then writes, so a cluster whose nodes crash again and again has
 * clocks that grow, and with them every record and every context, unless they are pruned (decisions 0007 and 0012).
 *
 * The claim: when all members are up, and nobody has read or written for some quarantines, no member holds a tombstone, nor a
 * clock with an entry too many. It shows that the condition of reaping comes to hold in the end; that nothing goes before it does
 * is for all other checks.
 *
 * Not claimed of a key of which a disk has a damaged record: it may be anything, and is whole again once somebody writes or
 * repairs the key.
 */
import type { NodeId } from '@armature/kernel';
import { isReapable } from '@armature/versioning';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { PRUNE_ABOVE } from './prune-above.js';
import { contentsOf, damagedNames, nameOf, type Held } from './replica-contents.js';

/** Several times what two clearings take, with a quarantine and a pass of the worker in between. */
const LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 4_000;

/** Lets the world run until nothing is left, or for so long that it should be. */
export async function checkReaped(cluster: SimulatedCluster): Promise<string[]> {
  const { world } = cluster;
  const untilMs = world.nowMs + LIMIT_MS;
  for (;;) {
    const left = unreapedIn(cluster);
    if (left.length === 0 || world.nowMs >= untilMs) return left;
    await world.run(world.nowMs + LOOK_EVERY_MS);
  }
}

function unreapedIn(cluster: SimulatedCluster): string[] {
  const doubtful = damagedNames([...cluster.members.values()].map(({ disk }) => disk.image()));
  return cluster.running.flatMap(({ options: { node }, participant }) => {
    if (!participant.membership.view.members.has(node)) return [];
    const contents = contentsOf(cluster.member(node).disk.image());
    return unreaped(
      node,
      contents.filter(({ address }) => !doubtful.has(nameOf(address))),
    );
  });
}

export function unreaped(node: NodeId, contents: readonly Held[], pruneAbove: number = PRUNE_ABOVE): string[] {
  return contents.flatMap(({ address, set }) => {
    if (!isReapable(set, pruneAbove)) return [];
    const what = `${set.clock.length} entries in its clock and ${set.siblings.length} versions`;
    return [`unreaped: ${node} holds ${nameOf(address)} with ${what}, though nobody has used it for long`];
  });
}
