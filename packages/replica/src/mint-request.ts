/** A put as it comes to the replica that mints it, what comes of it, and when it is not carried out. */
import { ArmatureError } from '@armature/kernel';
import { maxSetBytes, type BucketProperties, type Meta } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { checkGrowth, type CausalContext, type Dot, type OperationId, type VersionSet } from '@armature/versioning';

/** A put as the minting replica sees it: checked, its context opened. */
export interface MintRequest {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly context: CausalContext;
  readonly operation: OperationId;
  /** An earlier attempt at this write may have been carried out. */
  readonly repeated?: boolean | undefined;
  readonly tombstone: boolean;
  readonly value: Uint8Array;
  readonly meta: Meta;
  /** See `StillValid`. */
  readonly stillValid?: StillValid;
  /** By the monotonic clock: whoever waited for it has given up by then, and may have repeated it elsewhere. */
  readonly deadlineMs?: number;
}

/**
 * Asked in the turn in which the store takes a write: whether what the write was admitted under (the ring) still holds. With an
 * engine that waits, time passes between the two, and whoever asked under a newer ring what is here has been answered without it.
 * On false the write fails with `stale-ring`, and nothing has happened.
 */
export type StillValid = () => boolean;

export interface MintResult {
  /** The key's new state, to be merged by the other replicas. */
  readonly set: VersionSet;
  /** The event of this put. Undefined where it is the repetition of one that has been superseded: nothing was minted then. */
  readonly dot: Dot | undefined;
  readonly encoded: Uint8Array;
  /**
   * Resolves when the local copy is as durable as the bucket asks; rejects with a storage error. Always handled by the caller.
   */
  readonly committed: Promise<void>;
}

/** A key's set as it was, or is to be; `encoded` is undefined where nothing whole was held. */
interface SizedSet {
  readonly set: VersionSet;
  readonly encoded: Uint8Array | undefined;
}

/** Throws `too-large` where a put makes the set of a key grow beyond what its bucket allows. */
export function checkRoom(before: SizedSet, after: SizedSet, bucket: BucketProperties, messageBytes: number | undefined): void {
  const sizeOf = ({ set, encoded }: SizedSet): { siblings: number; sizeBytes: number } => ({
    siblings: set.siblings.length,
    sizeBytes: encoded?.length ?? 0,
  });
  const limits = { maxSiblings: bucket.maxSiblings, maxSetBytes: maxSetBytes(bucket.n, messageBytes) };
  const { siblings, sizeBytes } = sizeOf(after);
  if (siblings <= limits.maxSiblings && sizeBytes <= limits.maxSetBytes) return;
  const refusal = checkGrowth(sizeOf(before), { siblings, sizeBytes }, limits);
  if (refusal !== undefined) throw refusal;
}

/** Throws `stale-ring`. */
export function checkStillValid(stillValid: StillValid | undefined): void {
  if (stillValid === undefined || stillValid()) return;
  throw new ArmatureError('stale-ring', 'the ring changed while the write waited for the store', {
    remedy: 'Catch up with the membership, and write to the owners of now.',
  });
}

export function tooLate(): ArmatureError {
  return new ArmatureError('unavailable', 'the time for the write was up before it was begun: nothing was written', {
    remedy: 'Repeat it with more time.',
  });
}

/** Passes on why the store refused. */
export async function refused(committed: Promise<void>): Promise<never> {
  await committed;
  throw new ArmatureError('internal', 'the store resolved a write that it does not show');
}
