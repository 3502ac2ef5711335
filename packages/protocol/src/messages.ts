/**
 * The messages. Four families:
 *
 * - *replica* messages (`read`, `merge`, `pull`) ask one node what it itself holds, or to hold something;
 * - *coordinated* messages (`fetch`, `write`, `scan`) ask the receiver to run the whole operation over a quorum;
 * - *control* messages carry membership, status and commands, as JSON documents;
 * - *synchronisation* messages compare two replicas of a partition and make them equal (`synchronisation.ts`), and drop
 *   tombstones that nobody needs any more (`reaping.ts`).
 *
 * Replica and synchronisation messages carry the sender's ring version and are fenced by it: a receiver with another ring
 * refuses with `stale-ring`, and whichever of the two is behind catches up. A write says by which ring its receiver was picked,
 * so that a receiver that is behind learns of it.
 *
 * Version sets and contexts are opaque bytes here: only versioning reads them.
 */
import type { BinaryString, Brand, BucketName, NodeId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import type { Durability } from './bucket.js';
import type { Change, ChangeRecord } from './change.js';
import type { CommandsReply, CommandsRequest, KeepCommandReply, KeepCommandRequest } from './command-record.js';
import type { HoldingsReply, HoldingsRequest } from './holdings.js';
import type { QuorumWord } from './quorum-word.js';
import type { Receipt } from './receipt.js';
import type { ClearingCount, ReapingReply, ReapingRequest } from './reaping.js';
import type { SynchronisationReply, SynchronisationRequest } from './synchronisation.js';
import type { TransferStatus } from './transfers.js';
import type { WorkerReply, WorkerRequest } from './worker-status.js';

/** A ring's fingerprint as a 48-bit number, 0 meaning "I do not know the ring" (a client of a router). */
export type RingVersion = Brand<number, 'RingVersion'>;
export const RING_UNKNOWN = 0 as RingVersion;

export type Meta = readonly (readonly [name: string, value: string])[];

// --- replica messages -------------------------------------------------------------------------------------------------

/** What do you hold under this address? */
export interface ReadRequest {
  readonly kind: 'read';
  readonly ring: RingVersion;
  readonly address: Address;
  /** Asked as a fallback: what it keeps for others counts too. */
  readonly standIn?: boolean;
  /** Without values: the outline is enough. */
  readonly outline?: boolean;
}

export interface ReadReply {
  readonly kind: 'read';
  /** The encoded version set, or undefined when nothing is held. */
  readonly set: Uint8Array | undefined;
  /** It is the set's outline: that was asked for, or the set is larger than what is sent (`largestSetSentBytes`). */
  readonly isOutline?: boolean;
}

/** Join this version set into what you hold. */
export interface MergeRequest {
  readonly kind: 'merge';
  readonly ring: RingVersion;
  readonly address: Address;
  readonly set: Uint8Array;
  /** Acknowledge when this durable, or more. */
  readonly durability: Durability;
  /** Keep it as a hint for this owner, which cannot be reached, and hand it over when it is back (paper, section 4.6). */
  readonly hintFor?: NodeId | undefined;
}

export interface MergeReply {
  readonly kind: 'merge';
  /** Whether it was on stable storage when acknowledged. */
  readonly durable: boolean;
}

/** A page of what you hold between two stored positions, for transfers and scans. */
export interface PullRequest {
  readonly kind: 'pull';
  readonly ring: RingVersion;
  readonly start: BinaryString;
  /** Exclusive; undefined: to the end of the ring. */
  readonly end: BinaryString | undefined;
  /** Only this bucket, or undefined for all. */
  readonly bucket: BucketName | undefined;
  readonly limit: number;
  /** Bytes of addresses and sets; a single larger entry has a page of its own. */
  readonly limitBytes: number;
  /** Otherwise the sets come as outlines, without values and metadata: enough to know which keys there are. */
  readonly withValues: boolean;
}

export interface PullReply {
  readonly kind: 'pull';
  readonly entries: readonly { readonly address: Address; readonly set: Uint8Array }[];
  /** Where the next page starts; undefined: that was the last. A page may be empty while there is one. */
  readonly next: BinaryString | undefined;
}

// --- coordinated messages ---------------------------------------------------------------------------------------------

export interface FetchOptions {
  readonly r: QuorumWord;
  readonly pr: QuorumWord;
  /**
   * Without values: an outline of the siblings, in which the size of a value stands in its place (`outlinedBytes`). It has the
   * same context.
   */
  readonly outline?: boolean;
}

/** Get: read from a quorum and reconcile. */
export interface FetchRequest {
  readonly kind: 'fetch';
  readonly address: Address;
  readonly options: FetchOptions;
}

export interface FetchedSibling {
  readonly value: Uint8Array;
  readonly tombstone: boolean;
  /** Hybrid logical timestamp of the write. */
  readonly at: number;
  readonly meta: Meta;
}

export interface FetchReply {
  readonly kind: 'fetch';
  /** All concurrent versions, tombstones among them. None: the key was never written, or its tombstone is gone. */
  readonly siblings: readonly FetchedSibling[];
  /** Sealed. Empty when there are no siblings. */
  readonly context: Uint8Array;
  readonly receipt: Receipt;
}

export interface WriteOptions {
  readonly w: QuorumWord;
  readonly pw: QuorumWord;
  readonly dw: QuorumWord;
  /** Whether the answer should carry the context of the new version. */
  readonly returnContext: boolean;
}

/** Put or delete: mint a version that supersedes what the context has seen, and replicate it. */
export interface WriteRequest {
  readonly kind: 'write';
  readonly ring: RingVersion;
  readonly address: Address;
  /** Sealed, from an earlier answer; empty for a blind write. */
  readonly context: Uint8Array;
  /** 16 hex characters chosen by the writer; a repetition of the write carries the same. */
  readonly operation: string;
  readonly tombstone: boolean;
  readonly value: Uint8Array;
  readonly meta: Meta;
  readonly options: WriteOptions;
  /** None of the owners can be reached: mint it as a fallback, and keep it as a hint. */
  readonly standIn?: boolean;
  /**
   * An earlier attempt at this write may have been carried out, at another node perhaps: the owners are asked for it before this
   * one is minted.
   */
  readonly repeated?: boolean;
}

export interface WriteReply {
  readonly kind: 'write';
  readonly context: Uint8Array;
  readonly receipt: Receipt;
}

/** A page of the live keys of a bucket, in ring order, read from a quorum; bounded in bytes, too (`coordination/scan.ts`). */
export interface ScanRequest {
  readonly kind: 'scan';
  readonly bucket: BucketName;
  /** Where to go on: empty at first, then `next` of the page before. */
  readonly cursor: BinaryString;
  readonly limit: number;
  readonly withValues: boolean;
}

export interface ScanReply {
  readonly kind: 'scan';
  /** Siblings only where they were asked for. */
  readonly items: readonly { readonly address: Address; readonly siblings: readonly FetchedSibling[] }[];
  readonly next: BinaryString | undefined;
}

// --- control messages -------------------------------------------------------------------------------------------------

/** Reconcile histories: here is my fingerprint, and these records, which you may lack. */
export interface GossipRequest {
  readonly kind: 'gossip';
  readonly fingerprint: string;
  readonly records: readonly ChangeRecord[];
  /**
   * How often members have cleared something for reaping, as far as the sender knows. Left out by those who keep no such counts:
   * routers, workers, clients.
   */
  readonly clearings?: readonly ClearingCount[];
}

export interface GossipReply {
  readonly kind: 'gossip';
  /** After taking in the request's records. */
  readonly fingerprint: string;
  /** The whole history where the fingerprints differ, otherwise empty. */
  readonly records: readonly ChangeRecord[];
  /** Counts that are greater than those of the request, or missing there. Left out where the request has none. */
  readonly clearings?: readonly ClearingCount[];
}

/** An administrator's command: make this change part of the history. */
export interface ProposeRequest {
  readonly kind: 'propose';
  readonly change: Change;
  /** Who gives it; see `ChangeRecord`. */
  readonly author: string;
}

export interface ProposeReply {
  readonly kind: 'propose';
  readonly record: ChangeRecord;
}

/** All records of the membership that you have. */
export interface HistoryRequest {
  readonly kind: 'history';
}

export interface HistoryReply {
  readonly kind: 'history';
  readonly records: readonly ChangeRecord[];
}

/** Tell me about yourself. */
export interface StatusRequest {
  readonly kind: 'status';
}

export interface StatusReply {
  readonly kind: 'status';
  readonly status: NodeStatus;
}

/** What one process says of itself and of what it sees. */
export interface NodeStatus {
  readonly name: string;
  readonly role: 'node' | 'router';
  readonly version: string;
  readonly startedAtMs: number;
  readonly clusterId: string | undefined;
  readonly historyFingerprint: string;
  /** How many records its membership history has. */
  readonly historyRecords: number;
  readonly ring: RingVersion;
  readonly ready: boolean;
  /** Why not ready, or what is being worked on, for people. */
  readonly notes: readonly string[];
  /** Peers this process currently takes for down. */
  readonly suspects: readonly NodeId[];
  /** Partitions this node will own once it holds them. */
  readonly pendingPartitions: number;
  /** Undefined for a router, which holds nothing. */
  readonly transfers: TransferStatus | undefined;
  /** Kept for owners that could not be reached. */
  readonly hintBytes: number;
  /**
   * Of those, what could not be delivered when it was last tried, by owner. What waits for an owner that is down is not among
   * them.
   */
  readonly stuckHints: readonly StuckHints[];
  readonly storage: { readonly engine: string; readonly healthy: boolean; readonly sizeBytes: number } | undefined;
  readonly actor: string | undefined;
  /** Of a node's wall clock. Undefined for a router, which stamps nothing. */
  readonly clock: ClockStanding | undefined;
}

/** Hints for one owner that stay where they are although nobody who is down is waited for. */
export interface StuckHints {
  readonly owner: NodeId;
  readonly count: number;
  /** When the oldest was written, ms since the Unix epoch. */
  readonly oldestMs: number;
  /** Of one of them: MD5 of bucket and key, hex. */
  readonly keyHash: string;
  /** Of the same: an error code and a message. */
  readonly reason: string;
}

/** How a node's wall clock stands to those of the other nodes. */
export interface ClockStanding {
  /** Ahead of the majority, ms; negative: behind it. Undefined where fewer than two others have been heard. */
  readonly offsetMs: number | undefined;
  /** Nodes that it was compared with. */
  readonly peers: number;
}

export interface PingRequest {
  readonly kind: 'ping';
}

export interface PingReply {
  readonly kind: 'ping';
}

export type ControlRequest =
  | GossipRequest
  | ProposeRequest
  | HistoryRequest
  | StatusRequest
  | HoldingsRequest
  | CommandsRequest
  | KeepCommandRequest
  | WorkerRequest
  | PingRequest;

export type ControlReply =
  | GossipReply
  | ProposeReply
  | HistoryReply
  | StatusReply
  | HoldingsReply
  | CommandsReply
  | KeepCommandReply
  | WorkerReply
  | PingReply;

export type Request =
  | ReadRequest
  | MergeRequest
  | PullRequest
  | FetchRequest
  | WriteRequest
  | ScanRequest
  | ControlRequest
  | SynchronisationRequest
  | ReapingRequest;

export type Reply =
  ReadReply | MergeReply | PullReply | FetchReply | WriteReply | ScanReply | ControlReply | SynchronisationReply | ReapingReply;

/** The reply that belongs to a request. */
export type ReplyTo<Q extends Request> = Extract<Reply, { kind: Q['kind'] }>;
