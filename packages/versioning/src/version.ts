/**
 * One stored version of a key: what one put or delete wrote. Immutable, and the same bytes at every replica, so that
 * two copies of a version never need to be compared beyond their name (the dot, see version-set.ts).
 *
 * A delete is a version too, a *tombstone*: "deleted" is a fact with a place in causality, and must win against the
 * value it deleted wherever that turns up late. Only absence, no set at all, means that a replica knows nothing.
 *
 * The operation id is chosen by the client, once per logical put, and kept across its retries. It is how a put that
 * was carried out twice, because its first answer got lost, is recognised as one.
 */
import {
  ArmatureError,
  EMPTY_BYTES,
  err,
  MAX_META_ENTRIES,
  ok,
  quoted,
  toHex,
  type Brand,
  type Hlc,
  type Random,
  type Result,
} from '@armature/kernel';

/** Names one logical put across its retries: 16 lower-case hex digits, random. */
export type OperationId = Brand<string, 'OperationId'>;

/** Bytes of an operation id on the wire and on disk. */
export const OPERATION_BYTES = 8;

/** User metadata (content type, encoding, tags): name and text, in the order given. */
export type VersionMeta = readonly (readonly [name: string, text: string])[];

export interface Version {
  /** Opaque bytes; empty in a tombstone. */
  readonly value: Uint8Array;
  /** Whether this version says "deleted". */
  readonly tombstone: boolean;
  /** When it was written; greater than the `at` of every version it supersedes. */
  readonly at: Hlc;
  readonly operation: OperationId;
  /**
   * Whether it was minted for a write of which an earlier attempt may have been carried out: the same write may stand under
   * another dot, too.
   */
  readonly repeated: boolean;
  readonly meta: VersionMeta;
}

/** Sum of the UTF-8 bytes of all names and texts. */
export const MAX_META_BYTES = 8 * 1024;

export const NO_META: VersionMeta = Object.freeze([]);
const OPERATION = /^[0-9a-f]{16}$/;
const LONE_SURROGATE = /\p{Surrogate}/u;

export function mintOperationId(random: Random): OperationId {
  return toHex(random.bytes(OPERATION_BYTES)) as OperationId;
}

/** An operation id from its text form. Error: `invalid-argument`. */
export function parseOperationId(text: string): Result<OperationId, ArmatureError> {
  if (OPERATION.test(text)) return ok(text as OperationId);
  return err(
    new ArmatureError('invalid-argument', `${quoted(text)} is not an operation id`, {
      remedy: 'Give 16 lower-case hex digits, drawn at random once per put and kept for its retries.',
    }),
  );
}

/** A version that holds a value. `meta` has passed `checkMeta`. */
export function valueVersion(fields: {
  value: Uint8Array;
  at: Hlc;
  operation: OperationId;
  repeated?: boolean | undefined;
  meta?: VersionMeta;
}): Version {
  const { value, at, operation, repeated = false, meta = NO_META } = fields;
  return { value, tombstone: false, at, operation, repeated, meta };
}

/** A version that says "deleted". */
export function tombstoneVersion(fields: { at: Hlc; operation: OperationId; repeated?: boolean | undefined }): Version {
  const { at, operation, repeated = false } = fields;
  return { value: EMPTY_BYTES, tombstone: true, at, operation, repeated, meta: NO_META };
}

/** Bytes that the metadata counts against `MAX_META_BYTES`. */
export function metaSizeBytes(meta: VersionMeta): number {
  let sizeBytes = 0;
  for (const [name, text] of meta) sizeBytes += Buffer.byteLength(name, 'utf8') + Buffer.byteLength(text, 'utf8');
  return sizeBytes;
}

/**
 * User metadata within bounds, representable in UTF-8, and each name once, as most who read it look it up by name. Errors:
 * `too-large`, `invalid-argument`.
 */
export function checkMeta(meta: VersionMeta): Result<VersionMeta, ArmatureError> {
  if (meta.length > MAX_META_ENTRIES || metaSizeBytes(meta) > MAX_META_BYTES) {
    return err(
      new ArmatureError('too-large', `metadata exceeds ${MAX_META_ENTRIES} entries or ${MAX_META_BYTES} bytes`, {
        remedy: 'Move large metadata into the value.',
      }),
    );
  }
  if (meta.some(([name, text]) => LONE_SURROGATE.test(name) || LONE_SURROGATE.test(text))) {
    return err(
      new ArmatureError('invalid-argument', 'metadata holds half a surrogate pair, which UTF-8 cannot express', {
        remedy: 'Pass well-formed text; put raw bytes into the value.',
      }),
    );
  }
  if (meta.length > 1 && new Set(meta.map(([name]) => name)).size < meta.length) {
    return err(
      new ArmatureError('invalid-argument', 'two entries of the metadata have one name', {
        remedy: 'Give each name once, with one text.',
      }),
    );
  }
  return ok(meta);
}

/**
 * By (at, operation). It only ever decides between two different versions that claim the same dot, which means that a
 * store forgot what it had written; see `join`.
 */
export function compareVersions(a: Version, b: Version): number {
  if (a.at !== b.at) return a.at - b.at;
  return a.operation === b.operation ? 0 : a.operation < b.operation ? -1 : 1;
}
