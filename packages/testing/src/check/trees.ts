/**
 * Whether nodes know what they hold. Replicas are kept equal by comparing hash trees that writes have kept up to date, and
 * changes of membership are planned with the sizes that nodes give. With a tree that is not of what is stored, anti-entropy
 * overlooks what differs, or goes on comparing what does not, sweep after sweep. So when a cluster is at rest, of every share
 * that a node owns:
 *
 *   stale      the root of its tree is that of a tree made of what lies on its disk, key by key
 *   misstated  the keys and bytes it says it holds there are those that lie on its disk
 *
 * Nobody sees the first at once, so it must not wait for a difference to show it.
 *
 * Not claimed of shares with one replica on a disk that has rotted: no other replica shows the damage, so it is found when the
 * node next compares its tree with its disk.
 */
import { linkAddress, LinkEndpoint, type LinkAddress } from '@armature/bus';
import { toArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { entryDigest, MerkleTree } from '@armature/merkle';
import { nodeAddress, protocolCodec, type Reply, type ReplyTo, type Request, type ShareHolding } from '@armature/protocol';
import { bucketOfAddress } from '@armature/ring';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { contentsOf, type Held } from './replica-contents.js';

/** A share as it lies on a disk. */
export interface StoredShare {
  readonly partition: PartitionId;
  readonly n: number;
  readonly tree: MerkleTree;
  /** Of addresses and version sets. */
  bytes: number;
}

/** The same as a node tells it. */
export interface ToldShare {
  readonly partition: PartitionId;
  readonly n: number;
  readonly root: string;
  readonly keys: number;
  readonly holding: Pick<ShareHolding, 'records' | 'bytes'>;
}

const ASK_TIMEOUT_MS = 5_000;
/** A tree may still be being built. */
const ATTEMPTS = 10;
const RETRY_MS = 2_000;
const NOTHING = { records: 0, bytes: 0 };

/**
 * Of a cluster at rest, whose nodes are all up, and whose workers are paused: else a tombstone may be reaped between the answer
 * and the look at the disk.
 */
export async function checkTrees(cluster: SimulatedCluster): Promise<string[]> {
  const { world } = cluster;
  const ports = cluster.stranger('auditor');
  const link = LinkEndpoint.open<Request, Reply>(ports.bus, protocolCodec, {
    ...ports,
    ...cluster.membership,
    address: linkAddress('client', 'auditor'),
  });
  const ask = async <Q extends Request>(node: NodeId, request: Q): Promise<ReplyTo<Q>> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await link.request(nodeAddress(node) as LinkAddress, request, ASK_TIMEOUT_MS)) as ReplyTo<Q>;
      } catch (thrown) {
        if (attempt === ATTEMPTS) throw thrown;
        await world.sleep(RETRY_MS);
      }
    }
  };
  const found: string[] = [];
  for (const { options, participant } of cluster.running) {
    const { view } = participant.membership;
    const { node } = options;
    try {
      const told = await world.until(sharesTold(node, view, ask));
      const { disk } = cluster.member(node);
      const isRotten = disk.mishaps.some(({ kind }) => kind === 'rot');
      const claimed = told.filter(({ n }) => n > 1 || !isRotten);
      found.push(...staleTrees(node, claimed, storedShares(view, contentsOf(disk.image()))));
    } catch (thrown) {
      found.push(`unavailable: ${node} does not tell what it holds: ${toArmatureError(thrown).message}`);
    }
  }
  return found;
}

/** Where what a node tells of a share is not what is stored of it. */
export function staleTrees(node: NodeId, told: readonly ToldShare[], stored: readonly StoredShare[]): string[] {
  const nothing = new MerkleTree(0, 0);
  return told.flatMap(({ partition, n, root, keys, holding }) => {
    const share = stored.find((one) => one.partition === partition && one.n === n);
    const { tree, bytes } = share ?? { tree: nothing, bytes: 0 };
    const where = `of partition ${partition}, n=${n}, at ${node}`;
    const found: string[] = [];
    if (root !== tree.rootHash || keys !== tree.keys)
      found.push(`stale: the hash tree ${where} is one of ${keys} keys, and not that of the ${tree.keys} on its disk`);
    if (holding.records !== tree.keys || holding.bytes !== bytes)
      found.push(
        `misstated: the ${holding.records} keys of ${holding.bytes} bytes ${where} are ${tree.keys} of ${bytes} on its disk`,
      );
    return found;
  });
}

/** Hints and keys of unknown buckets are no part of any. */
function storedShares(view: View, held: readonly Held[]): StoredShare[] {
  const shares = new Map<string, StoredShare>();
  for (const { address, hintFor, bytes } of held) {
    const n = view.buckets.get(bucketOfAddress(address))?.n;
    if (hintFor !== undefined || n === undefined || view.ring === undefined) continue;
    const partition = view.ring.partitionOf(address);
    const name = `${partition} ${n}`;
    const share = shares.get(name) ?? { partition, n, tree: new MerkleTree(0, 0), bytes: 0 };
    shares.set(name, share);
    share.tree.update(address, undefined, entryDigest(address, bytes));
    share.bytes += address.length + bytes.length;
  }
  return [...shares.values()];
}

/** Of all shares that the node owns. */
async function sharesTold(
  node: NodeId,
  view: View,
  ask: <Q extends Request>(node: NodeId, request: Q) => Promise<ReplyTo<Q>>,
): Promise<ToldShare[]> {
  const told: ToldShare[] = [];
  for (let index = 0; index < (view.ring?.partitionCount ?? 0); index++) {
    const partition = index as PartitionId;
    for (const n of view.ns) {
      if (!view.placementOf(partition, n).owners.includes(node)) continue;
      const question = { kind: 'tree', ring: view.ringVersion, partition, n, level: 0, indices: [0] } as const;
      const { keys, hashes } = await ask(node, question);
      told.push({ partition, n, root: hashes[0] ?? '', keys, holding: NOTHING });
    }
  }
  // Exact, since all trees are built now.
  const { shares } = (await ask(node, { kind: 'holdings' })).holdings;
  return told.map((one) => {
    const holding = shares.find(({ partition, n }) => partition === one.partition && n === one.n);
    return { ...one, holding: holding ?? NOTHING };
  });
}
