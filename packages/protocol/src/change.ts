/**
 * Changes: the records of the membership history (paper, section 4.8.1). Joining, leaving and configuring are explicit acts of
 * an administrator; each becomes one record, and the set of records only grows. Folding the ordered set gives the view.
 *
 * A record is JSON: there are hundreds in the life of a cluster, people read them, and they never touch the data path.
 */
import type { TokenDemand } from '@armature/rights';
import type { BucketName, ClusterName, Hlc, NodeId, ZoneName } from '@armature/kernel';
import type { BucketProperties } from './bucket.js';

export interface MemberSettings {
  readonly node: NodeId;
  /** Share of the ring relative to the other nodes; 1 is an ordinary node. */
  readonly weight: number;
  readonly zone: ZoneName;
}

/** Strategies whose Q partitions are fixed for the life of the cluster (paper, section 6.2). */
export type ClusterStrategy = 2 | 3;

export type Change =
  | {
      /** The first record of every cluster. Its members own the ring at once, since there is no data yet. */
      readonly kind: 'create';
      /** 32 hex characters, random: tells two clusters of one name apart. */
      readonly clusterId: string;
      readonly cluster: ClusterName;
      readonly strategy: ClusterStrategy;
      /** Q, a power of two. */
      readonly partitionCount: number;
      /** Window of consecutive partitions that claim keeps on distinct nodes: the largest N that will be common. */
      readonly targetN: number;
      readonly members: readonly MemberSettings[];
    }
  | ({ readonly kind: 'join' } & MemberSettings)
  /** A node goes in good order: it serves until its successors hold its partitions. */
  | { readonly kind: 'leave'; readonly node: NodeId }
  /** A fact only `node` may state: it was leaving, owns nothing any more, and keeps nothing that somebody else needs. */
  | { readonly kind: 'left'; readonly node: NodeId }
  /** A node is gone for good: nothing is asked of it any more. */
  | { readonly kind: 'remove'; readonly node: NodeId }
  /**
   * `by`, a node that is no member, takes over the share of `node`, which goes in good order, or at once where it is dead: gone
   * for good, like one that is removed.
   */
  | { readonly kind: 'replace'; readonly node: NodeId; readonly by: MemberSettings; readonly dead: boolean }
  | { readonly kind: 'weight'; readonly node: NodeId; readonly weight: number }
  | { readonly kind: 'zone'; readonly node: NodeId; readonly zone: ZoneName }
  | { readonly kind: 'bucket'; readonly bucket: BucketName; readonly properties: BucketProperties }
  /**
   * What the cluster demands of those who come to its doors. Such records are joined (`joinAccess`), so their order does not
   * matter.
   */
  | { readonly kind: 'access'; readonly tokens: TokenDemand; readonly revision: number; readonly generation: number }
  /**
   * A fact only `node` may state: its store mints under this actor (16 hex characters) now. The latest of a membership counts.
   */
  | { readonly kind: 'actor'; readonly node: NodeId; readonly actor: string }
  /**
   * A fact only `node` may state: its store is not the one that was here last. It was wiped, or is an older copy; it mints under
   * this actor now.
   */
  | { readonly kind: 'lost'; readonly node: NodeId; readonly actor: string }
  /** A fact only `node` may state: it holds these partitions, which ring change `change` made it an owner of. */
  | { readonly kind: 'ready'; readonly node: NodeId; readonly change: string; readonly partitions: readonly number[] };

export interface ChangeRecord {
  /** 16 hex characters, random. */
  readonly id: string;
  /** Orders the history, ties broken by `id`. */
  readonly at: Hlc;
  /** The node at which the command was given. */
  readonly by: NodeId;
  /**
   * Who gave the command, in words: 1 to `MAX_AUTHOR_CHARS` printable characters. Of a fact that a node states itself, its name.
   * It is what the one who gave the command says of himself, or what his token says; nothing follows from it.
   */
  readonly author: string;
  readonly change: Change;
}

/** Total order of the history: by time, then by id. */
export function compareRecords(a: ChangeRecord, b: ChangeRecord): number {
  return a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
