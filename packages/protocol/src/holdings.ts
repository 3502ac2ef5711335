/**
 * What a node holds, share by share: how much there would be to move. For planning a change before it is made; asked of one node
 * at a time, by people, not on the path of anything.
 *
 * Where the hash trees of a partition are built, they know exactly what is held. Where they are not, the node looks at the
 * beginning of the partition, and as keys are spread evenly over the ring, that tells about the rest. Each share says which of
 * the two its figures are.
 */
import type { ArmatureError, NodeId, PartitionId, Result } from '@armature/kernel';
import { boolean, guarded, integer, list, node, object } from './json-shape.js';
import { MAX_N } from './quorum-word.js';
import { MAX_PARTITIONS } from './limits.js';
import type { RingVersion } from './messages.js';

export interface HoldingsRequest {
  readonly kind: 'holdings';
}

export interface HoldingsReply {
  readonly kind: 'holdings';
  readonly holdings: Holdings;
}

export interface Holdings {
  readonly node: NodeId;
  /** Of the view under which the shares are its own. */
  readonly ring: RingVersion;
  /**
   * Those of which the node is an owner or a pending owner, by partition, then by N. A share that is not named is empty or not
   * its own.
   */
  readonly shares: readonly ShareHolding[];
}

/** The keys of the buckets with this N in this partition. */
export interface ShareHolding {
  readonly partition: PartitionId;
  readonly n: number;
  /** Keys, those of deleted values among them until they are reaped. */
  readonly records: number;
  /** Of their addresses and version sets, as they would travel; what a disk makes of them is another matter. */
  readonly bytes: number;
  /** False: estimated from a sample. */
  readonly exact: boolean;
}

export function parseHoldings(input: unknown): Result<Holdings, ArmatureError> {
  return guarded('not the holdings of a node', () => {
    const document = object(input, 'holdings');
    return {
      node: node(document['node'], 'node'),
      ring: integer(document['ring'], 'ring', 0, Number.MAX_SAFE_INTEGER) as RingVersion,
      shares: list(document['shares'], 'shares', MAX_PARTITIONS * MAX_N).map((one, i) => readShare(one, `shares[${i}]`)),
    };
  });
}

function readShare(input: unknown, path: string): ShareHolding {
  const share = object(input, path);
  return {
    partition: integer(share['partition'], `${path}.partition`, 0, MAX_PARTITIONS - 1) as PartitionId,
    n: integer(share['n'], `${path}.n`, 1, MAX_N),
    records: integer(share['records'], `${path}.records`, 0, Number.MAX_SAFE_INTEGER),
    bytes: integer(share['bytes'], `${path}.bytes`, 0, Number.MAX_SAFE_INTEGER),
    exact: boolean(share['exact'], `${path}.exact`),
  };
}
