/**
 * The messages of replica synchronisation (paper, section 4.7). One node, the initiator, is told to run an `exchange` with a peer
 * over one partition. It compares hash trees by `tree` questions, lists the ranges that differ by `digests`, takes what it lacks
 * by `sets`, and hands over what the peer lacks by `absorb`. All but `exchange` are answered from what the node itself holds.
 *
 * Buckets of different N have different owners in one partition, so there is one tree per partition and N, and everything here
 * names both. All are fenced by the ring like other replica messages, and none of them counts as a user's request.
 */
import type { BinaryString, BucketName, NodeId, PartitionId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import type { RingVersion } from './messages.js';

/** Bytes of a tree's hash and of an entry's digest. */
export const HASH_BYTES = 16;

/** Of the words of a problem in a reply: an error code and a message, far below this. */
export const MAX_PROBLEM_BYTES = 64 * 1024;

/** Which keys: those of the buckets with this N in this partition. */
export interface SynchronisedShare {
  readonly ring: RingVersion;
  readonly partition: PartitionId;
  readonly n: number;
}

/** What are the hashes of these nodes of your tree? */
export interface TreeRequest extends SynchronisedShare {
  readonly kind: 'tree';
  /** 0 is the root; below each node are 16. */
  readonly level: number;
  readonly indices: readonly number[];
}

export interface TreeReply {
  readonly kind: 'tree';
  /** Level of the leaves of the answering tree. */
  readonly depth: number;
  /** Entries in the whole tree. */
  readonly keys: number;
  /** `HASH_BYTES` each, in the order of the indices asked for. */
  readonly hashes: readonly BinaryString[];
}

/** Which keys of the share do you hold in this range, and in what state? */
export interface DigestsRequest extends SynchronisedShare {
  readonly kind: 'digests';
  readonly start: BinaryString;
  /** Exclusive; undefined: to the end of the ring. */
  readonly end: BinaryString | undefined;
  /** Only this bucket, or undefined for all. */
  readonly bucket: BucketName | undefined;
  /** Most stored keys to look at. */
  readonly limit: number;
}

export interface DigestsReply {
  readonly kind: 'digests';
  /** In ring order; digests have `HASH_BYTES`. The size of a set tells how long it takes to send. */
  readonly entries: readonly { readonly address: Address; readonly digest: BinaryString; readonly sizeBytes: number }[];
  /** Where the next page starts; undefined: that was the last. */
  readonly next: BinaryString | undefined;
}

/** What do you hold under these addresses? */
export interface SetsRequest {
  readonly kind: 'sets';
  readonly ring: RingVersion;
  readonly addresses: readonly Address[];
}

export interface SetsReply {
  readonly kind: 'sets';
  /** In the order of the addresses, undefined where nothing is held. May be fewer than asked for: the rest did not fit. */
  readonly sets: readonly (Uint8Array | undefined)[];
}

/** Join these into what you hold. */
export interface AbsorbRequest {
  readonly kind: 'absorb';
  readonly ring: RingVersion;
  /** On stable storage, whatever the buckets ask: the sender drops its own for that. */
  readonly durable: boolean;
  readonly entries: readonly { readonly address: Address; readonly set: Uint8Array }[];
}

export interface AbsorbReply {
  readonly kind: 'absorb';
  /** Merged, each as durable as its bucket asks, or as was asked. */
  readonly merged: number;
  /** Could not be merged: the receiver knows why, and says so in its log. */
  readonly refused: number;
}

/** Make yourself and this peer equal in a share, as far as one run may go. */
export interface ExchangeRequest extends SynchronisedShare {
  readonly kind: 'exchange';
  readonly peer: NodeId;
  /** Only this bucket, or undefined for all. */
  readonly bucket: BucketName | undefined;
}

/**
 * `equal`: nothing differed. `repaired`: what differed was merged both ways. `partial`: so was a part of it; run it again.
 * `failed`: the peer or one of the stores did not do its part; see `problem`.
 */
export type ExchangeOutcome = 'equal' | 'repaired' | 'partial' | 'failed';
export const EXCHANGE_OUTCOMES: readonly ExchangeOutcome[] = ['equal', 'repaired', 'partial', 'failed'];

export interface ExchangeReply {
  readonly kind: 'exchange';
  readonly outcome: ExchangeOutcome;
  /** Keys that the initiator's tree stands for. */
  readonly compared: number;
  /** Keys found to differ, and dealt with. */
  readonly differing: number;
  /** Version sets that came from the peer, and that went to it. */
  readonly pulled: number;
  readonly pushed: number;
  /** Of those sets. */
  readonly bytes: number;
  readonly elapsedMs: number;
  /** Of `failed`: an error code and a message; empty otherwise. */
  readonly problem: string;
}

export type SynchronisationRequest = TreeRequest | DigestsRequest | SetsRequest | AbsorbRequest | ExchangeRequest;
export type SynchronisationReply = TreeReply | DigestsReply | SetsReply | AbsorbReply | ExchangeReply;
