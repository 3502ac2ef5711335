/** Whether a simulated cluster has come to rest: all members have one history, and all owners of each key the same bytes. */
import type { NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { agreementOf, contentsOf, type Agreement } from './replica-contents.js';

const LOOK_EVERY_MS = 2_000;
/** A pass over a share, or an exchange, of the little that is stored here. */
const SETTLE_MS = 5_000;

/** What stands when all replicas are equal, or at the limit. Lets the world run meanwhile. `frozen`: see `agreementOf`. */
export async function untilConverged(
  cluster: SimulatedCluster,
  limitMs: number,
  frozen?: ReadonlySet<NodeId>,
  lookEveryMs = LOOK_EVERY_MS,
): Promise<Agreement> {
  const { world } = cluster;
  for (;;) {
    const found = agreementIn(cluster, frozen);
    if (found.differences.length === 0 || world.nowMs >= limitMs) return found;
    await world.run(world.nowMs + lookEveryMs);
  }
}

/**
 * Pauses the workers, and lets what they have begun end. They go on reaping in a cluster at rest, and what comes across that (a
 * read, a look at the disks) finds a tombstone here and not there for a moment.
 */
export async function pauseWorkers(cluster: SimulatedCluster): Promise<void> {
  const { world } = cluster;
  const operator = await world.until(cluster.connect('operator'));
  await world.until(operator.admin.workers('pause'));
  await world.run(world.nowMs + SETTLE_MS);
}

/** As things are now, on the disks of all members, those that are down included. */
export function agreementIn(cluster: SimulatedCluster, frozen?: ReadonlySet<NodeId>): Agreement {
  const views = new Map<NodeId, View>();
  for (const node of cluster.running) {
    if (frozen?.has(node.options.node) === true) continue;
    const { view } = node.participant.membership;
    if (view.members.has(node.options.node)) views.set(node.options.node, view);
  }
  const [view] = views.values();
  if (view === undefined) return { differences: ['no member runs'], states: new Map() };
  const contents = new Map([...cluster.members.values()].map(({ name, disk }) => [name, contentsOf(disk.image())]));
  const found = agreementOf(view, contents, frozen);
  const behind = [...views]
    .filter(([, other]) => other.fingerprint !== view.fingerprint)
    .map(([node]) => `${node} has another history`);
  return { ...found, differences: [...behind, ...found.differences] };
}
