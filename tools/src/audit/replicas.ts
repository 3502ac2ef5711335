/**
 * Whether all replicas are byte-equal, which after healing they must be (version sets are canonical, so equal sets are equal
 * bytes). For each partition and each N of a bucket, every owner and pending owner is to hold the same sets under the same
 * addresses, and a node that holds a record without being one of them is named: a former owner's copy is no error by itself, but
 * it is no replica either.
 *
 * Comparing is a pure function of an inventory; waiting until it comes out equal is the part with a clock.
 */
import { bytesEqual, toArmatureError, toHex, utf8Decode, type BucketName, type NodeId, type PartitionId } from '@armature/kernel';
import { entryDigest } from '@armature/merkle';
import { bucketOfAddress, keyOfAddress, type Address } from '@armature/ring';
import { sleep, systemClock } from '@armature/runtime';
import { Auditor, takeInventory, type Auditable, type Inventory } from './inventory.js';

/** A key whose replicas differ. */
export interface Difference {
  readonly bucket: BucketName;
  readonly key: string;
  readonly partition: PartitionId;
  readonly n: number;
  /** What each replica holds: 16 hex digits of the set's digest, or `nothing`. */
  readonly held: Readonly<Record<string, string>>;
}

/** A record at a node that is no replica of it. */
export interface Stray {
  readonly bucket: BucketName;
  readonly key: string;
  readonly node: NodeId;
}

export interface ReplicaAudit {
  /** Distinct keys held by any replica, deleted ones included. */
  readonly keys: number;
  /** Partitions of the ring. */
  readonly partitions: number;
  /** Owners and pending owners, summed over partitions and Ns. */
  readonly replicasCompared: number;
  /** Partitions and Ns that still have pending owners. */
  readonly moving: number;
  /** Keys that differ: how many, and the first few. */
  readonly differences: number;
  readonly differing: readonly Difference[];
  readonly strays: number;
  readonly strayExamples: readonly Stray[];
  /** Records of buckets that the view does not know; they belong nowhere. */
  readonly unknownBuckets: readonly string[];
}

const MAX_EXAMPLES = 10;

/** Pure: what an inventory says about its replicas. */
export function compareReplicas({ view, holdings }: Inventory): ReplicaAudit {
  const addresses = new Set<Address>();
  for (const held of holdings.values()) for (const address of held.keys()) addresses.add(address);
  const differing: Difference[] = [];
  const strayExamples: Stray[] = [];
  const unknownBuckets = new Set<string>();
  let differences = 0;
  let strays = 0;
  let keys = 0;
  for (const address of addresses) {
    const bucket = bucketOfAddress(address);
    const n = view.buckets.get(bucket)?.n;
    if (n === undefined) {
      unknownBuckets.add(bucket);
      continue;
    }
    const { partition, owners, pending } = view.placement(address, n);
    const replicas = new Set([...owners, ...pending]);
    const sets = [...replicas].map((node) => holdings.get(node)?.get(address));
    if (sets.some((set) => set !== undefined)) keys++;
    if (!sets.every((set) => isSame(set, sets[0]))) {
      differences++;
      if (differing.length < MAX_EXAMPLES) {
        const held = [...replicas].map((node, index) => [node, digestText(address, sets[index])] as const);
        differing.push({ bucket, key: keyText(address), partition, n, held: Object.fromEntries(held) });
      }
    }
    for (const [node, held] of holdings) {
      if (replicas.has(node) || !held.has(address)) continue;
      strays++;
      if (strayExamples.length < MAX_EXAMPLES) strayExamples.push({ bucket, key: keyText(address), node });
    }
  }
  const partitions = view.ring?.partitionCount ?? 0;
  const placements = view.ns.flatMap((n) =>
    Array.from({ length: partitions }, (_, partition) => view.placementOf(partition as PartitionId, n)),
  );
  return {
    keys,
    partitions,
    replicasCompared: placements.reduce((sum, { owners, pending }) => sum + owners.length + pending.length, 0),
    moving: placements.filter(({ pending }) => pending.length > 0).length,
    differences,
    differing,
    strays,
    strayExamples,
    unknownBuckets: [...unknownBuckets],
  };
}

/** Asks every member for all it holds, and compares. */
export async function auditReplicas(target: Auditable): Promise<ReplicaAudit> {
  return compareReplicas(await takeInventory(target));
}

export interface EqualReplicasOptions {
  /** Two minutes by default: nodes come back, hints go home, a worker sweeps. */
  readonly timeoutMs?: number;
  /** Called after each look that found differences, e.g. to run a repair. */
  readonly nudge?: () => Promise<unknown>;
  /**
   * Whether records at nodes that are no replicas of them are tolerated, as they are for a while after a change of the ring. True
   * by default.
   */
  readonly strays?: boolean;
}

const DEFAULT_TIMEOUT_MS = 120_000;
const LOOK_AGAIN_MS = 500;

/**
 * Resolves with the audit once all replicas are equal, no partition is on the move, and no hint waits anywhere: while hints wait,
 * equal replicas may all lack what the hints hold. Rejects after the timeout with what differs, where.
 */
export async function expectReplicasEqual(target: Auditable, options: EqualReplicasOptions = {}): Promise<ReplicaAudit> {
  const deadlineMs = systemClock.monotonicMs() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  for (;;) {
    let complaint: string;
    try {
      const { audit, hintBytes } = await look(target);
      complaint = complaintOf(audit, hintBytes, options.strays ?? true);
      if (complaint === '') return audit;
      await options.nudge?.();
    } catch (thrown) {
      complaint = toArmatureError(thrown).message;
    }
    if (systemClock.monotonicMs() >= deadlineMs) throw new Error(`the replicas did not become equal: ${complaint}`);
    await sleep(systemClock, LOOK_AGAIN_MS);
  }
}

/** Hints first: a hint that goes home between the two looks is then seen at home. */
async function look(target: Auditable): Promise<{ audit: ReplicaAudit; hintBytes: number }> {
  const auditor = await Auditor.open(target);
  try {
    const hintBytes = await target.hintBytes();
    return { audit: compareReplicas(await auditor.inventory()), hintBytes };
  } finally {
    await auditor.close();
  }
}

function complaintOf(audit: ReplicaAudit, hintBytes: number, areStraysFine: boolean): string {
  const complaints = [
    ...(audit.differences > 0 ? [`${audit.differences} of ${audit.keys} keys differ: ${JSON.stringify(audit.differing)}`] : []),
    ...(audit.moving > 0 ? [`${audit.moving} partitions have pending owners`] : []),
    ...(hintBytes > 0 ? [`${hintBytes} bytes of hints have not gone home`] : []),
    ...(audit.strays > 0 && !areStraysFine
      ? [`${audit.strays} records at nodes that are no replicas: ${JSON.stringify(audit.strayExamples)}`]
      : []),
    ...(audit.unknownBuckets.length > 0 ? [`records of unknown buckets ${audit.unknownBuckets.join(', ')}`] : []),
  ];
  return complaints.join('; ');
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : bytesEqual(one, other);
}

function digestText(address: Address, set: Uint8Array | undefined): string {
  return set === undefined ? 'nothing' : toHex(Buffer.from(entryDigest(address, set), 'latin1')).slice(0, 16);
}

function keyText(address: Address): string {
  return utf8Decode(keyOfAddress(address));
}
