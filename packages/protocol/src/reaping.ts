/**
 * The messages of reaping: how tombstones, and entries of clocks, that nobody needs any more are found out and dropped. The first
 * owner of a partition is told to run a pass over a share (`reap`). It asks every other member whether anything of a key is left
 * there but the set in question (`clear`), and, later and once more, has the other owners drop what that set does not need
 * (`drop`). Before that every member notes how often each has cleared something (`note`), so that an old copy of a store is found
 * out. Fenced by the ring like the other messages of synchronisation; docs/decisions/0007-reaping.md and 0012-pruning.md say why
 * this is safe.
 */
import type { BinaryString, BucketName } from '@armature/kernel';
import type { Address } from '@armature/ring';
import type { RingVersion } from './messages.js';
import type { SynchronisedShare } from './synchronisation.js';

/** A key in a certain state: the digest has `HASH_BYTES`. */
export interface DigestedEntry {
  readonly address: Address;
  readonly digest: BinaryString;
}

/** Find what can go of the tombstones and clocks of this share, as far as one run may go. To its first owner. */
export interface ReapRequest extends SynchronisedShare {
  readonly kind: 'reap';
  /** `next` of the run before; undefined: from the beginning. */
  readonly start: BinaryString | undefined;
  /** Only this bucket, or undefined for all. */
  readonly bucket: BucketName | undefined;
}

/**
 * Why a candidate was not taken. What a member said of it: it `differs` at an owner; a node that is no owner holds a `stray`
 * record of it; it is `hinted`, kept for an owner that was away; it is `in-hand`, part of an operation under way; the member is
 * `unsettled`, having stood still a moment ago. Or: somebody has not answered (`unanswered`); it has `changed` since it was
 * cleared; there is no room to remember it (`full`).
 */
export const HOLD_REASONS = ['differs', 'stray', 'hinted', 'in-hand', 'unsettled', 'unanswered', 'changed', 'full'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

export interface ReapReply {
  readonly kind: 'reap';
  /** Keys looked at: those that this owner has in its list of what may be reaped. */
  readonly scanned: number;
  /** Keys of which every version is a tombstone, and keys whose clocks have become long. */
  readonly candidates: number;
  /** Of these: cleared by all members, and in quarantine. */
  readonly waiting: number;
  /** Tombstones that all owners have dropped. */
  readonly reaped: number;
  /** Clocks that all owners have pruned. */
  readonly pruned: number;
  /** Of these: neither, by reason. */
  readonly heldBack: Readonly<Record<HoldReason, number>>;
  /** Why nothing could be done, or nothing more: a member that is down, a partition that moves. Empty otherwise. */
  readonly blocked: string;
  /** Where the next run goes on; undefined: that was the end, or nothing can be done now. */
  readonly next: BinaryString | undefined;
}

/** Is each of these, as far as you are concerned, in this state and no other? */
export interface ClearRequest {
  readonly kind: 'clear';
  readonly ring: RingVersion;
  readonly entries: readonly DigestedEntry[];
}

export const CLEARANCES = ['clear', 'differs', 'stray', 'hinted', 'in-hand', 'unsettled'] as const;
export type Clearance = (typeof CLEARANCES)[number];

/** How often a store has cleared something. A store with a smaller count is a copy from before a clearing. */
export interface ClearingCount {
  /**
   * Which member's store, and since which record of the history, as text. A store that was lost and filled again is another one.
   */
  readonly tenure: string;
  readonly count: number;
}

export interface ClearReply {
  readonly kind: 'clear';
  /** In the order of the entries. What led to `clear` is on stable storage. */
  readonly clearances: readonly Clearance[];
  /** After this clearing, and on stable storage with it. Undefined where nothing was cleared. */
  readonly counted: ClearingCount | undefined;
}

/**
 * Keep these on stable storage: what they have licensed is about to be dropped. To every member, and answered with an error by
 * one whose own store has a smaller count.
 */
export interface NoteRequest {
  readonly kind: 'note';
  readonly ring: RingVersion;
  readonly counts: readonly ClearingCount[];
}

export interface NoteReply {
  readonly kind: 'note';
}

/** Those of these that are still in this state: drop them where they are tombstones, else prune their clocks. */
export interface DropRequest {
  readonly kind: 'drop';
  readonly ring: RingVersion;
  readonly entries: readonly DigestedEntry[];
}

export interface DropReply {
  readonly kind: 'drop';
  /** Whether it was, in the order of the entries. */
  readonly dropped: readonly boolean[];
}

export type ReapingRequest = ReapRequest | ClearRequest | NoteRequest | DropRequest;
export type ReapingReply = ReapReply | ClearReply | NoteReply | DropReply;

/** A tally of nothing held back, to count from. */
export function nothingHeldBack(): Record<HoldReason, number> {
  return Object.fromEntries(HOLD_REASONS.map((reason) => [reason, 0])) as Record<HoldReason, number>;
}
