/**
 * Whether an old copy of a disk changes anything in a cluster at rest. By then everything that may be reaped is gone: tombstones,
 * and the entries of clocks that say what has been overwritten. A copy that was taken before still has the values that they
 * covered.
 *
 * The claim: a node is started with such a copy, and the cluster holds afterwards exactly the values that it held before. It must
 * be so whether the copy lacks an actor that the history names, or nothing but clearings (`server/clearing-counts.ts`).
 *
 * Not claimed of keys that only this node owns: its copy is all there is of them.
 */
import type { NodeId } from '@armature/kernel';
import { bucketOfAddress, type Address } from '@armature/ring';
import { liveSiblings, type VersionSet } from '@armature/versioning';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { untilConverged } from './convergence.js';
import { nameOf, type Agreement } from './replica-contents.js';

const LIMIT_MS = 300_000;

/** `putBack` resolves with the node that has been started with an old copy, or undefined where there is none. */
export async function checkOldCopy(
  cluster: SimulatedCluster,
  putBack: () => Promise<NodeId | undefined>,
  before: Agreement['states'],
): Promise<string[]> {
  const { world } = cluster;
  const node = await world.until(putBack());
  if (node === undefined) return [];
  const { differences, states } = await untilConverged(cluster, world.nowMs + LIMIT_MS);
  return [
    ...differences.map((difference) => `not converged: ${difference}, after an old copy of ${node} was put back`),
    ...changes(before, states)
      .filter((address) => !isOwnedAlone(cluster, node, address))
      .map((address) => `changed: ${nameOf(address)} has other values since an old copy of ${node} was put back`),
  ];
}

/** Keys that have other values; tombstones are none. */
export function changes(before: Agreement['states'], after: Agreement['states']): Address[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (address) => valuesOf(before.get(address)) !== valuesOf(after.get(address)),
  );
}

function valuesOf(set: VersionSet | undefined): string {
  if (set === undefined) return '';
  return liveSiblings(set)
    .map(({ dot }) => `${dot.actor} ${dot.counter}`)
    .sort()
    .join();
}

function isOwnedAlone({ running }: SimulatedCluster, node: NodeId, address: Address): boolean {
  const view = running[0]?.participant.membership.view;
  const n = view?.buckets.get(bucketOfAddress(address))?.n;
  return n === undefined || view?.placement(address, n).owners.some((owner) => owner !== node) !== true;
}
