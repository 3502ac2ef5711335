/**
 * Where a key lives on the ring, and the text that carries it there (section 4.2 of the paper).
 *
 * A *position* is a 128-bit number: the MD5 of the bucket and the key. MD5 is chosen, as in the paper, for its uniformity: any
 * two keys, however alike, land in unrelated places. It is broken as a signature, and nothing here relies on it being one: a user
 * who crafts keys that meet on one arc overloads the replicas of his own keys, which he could as well by writing one key often.
 * The bucket's length goes first into the hash, so that ("ab", "c") and ("a", "bc") are different inputs.
 *
 * An *address* is what a key is called everywhere behind the client: on the wire, in Merkle trees and as the prefix of stored
 * keys.
 *
 *     16 bytes position | 1 byte length of the bucket's name | the name, ASCII | the key
 *
 * Beginning with the position makes string order ring order, so that any arc of the ring is one contiguous range of stored keys,
 * under every partitioning strategy. Carrying bucket and key makes it reversible, and two keys of equal position stay two keys.
 */
import {
  ArmatureError,
  asBuffer,
  assert,
  type BinaryString,
  type Brand,
  type BucketName,
  err,
  fromBinaryString,
  MAX_KEY_BYTES,
  MAX_NAME_CHARS,
  ok,
  parseBucketName,
  type Result,
} from '@armature/kernel';
import { md5 } from './digest.js';

/** A place on the ring: 16 bytes, a big-endian 128-bit number. */
export type Position = Brand<Uint8Array, 'Position'>;

declare const address: unique symbol;
/**
 * Position, bucket and key in one binary string. Ordered by `<` in ring order. Every address is a binary string, hence a brand
 * upon a brand.
 */
export type Address = BinaryString & { readonly [address]: true };

/** A half-open arc that does not cross position 0. Bounds are 16-byte positions; an `end` of undefined is the end of the ring. */
export interface PositionRange {
  readonly start: BinaryString;
  readonly end: BinaryString | undefined;
}

export interface ParsedAddress {
  readonly position: Position;
  readonly bucket: BucketName;
  readonly key: Uint8Array;
}

export const POSITION_BYTES = 16;
/** Of an address with the longest name of a bucket and the longest key. */
export const MAX_ADDRESS_BYTES = POSITION_BYTES + 1 + MAX_NAME_CHARS + MAX_KEY_BYTES;

/** The lowest position, and the whole ring as a range. */
export const RING_START = '\0'.repeat(POSITION_BYTES) as BinaryString;
export const WHOLE_RING: PositionRange = { start: RING_START, end: undefined };

export function positionOf(bucket: BucketName, key: Uint8Array): Position {
  return asPosition(addressOf(bucket, key));
}

/** The address of a key of at most `MAX_KEY_BYTES` bytes. About 1 us for a short key, nearly all of it the hash. */
export function addressOf(bucket: BucketName, key: Uint8Array): Address {
  assert(key.length <= MAX_KEY_BYTES, 'the key was checked against MAX_KEY_BYTES at the door');
  const nameBytes = bucket.length;
  const buffer = Buffer.allocUnsafe(POSITION_BYTES + 1 + nameBytes + key.length);
  buffer[POSITION_BYTES] = nameBytes;
  buffer.write(bucket, POSITION_BYTES + 1, 'latin1');
  buffer.set(key, POSITION_BYTES + 1 + nameBytes);
  buffer.write(md5(buffer.subarray(POSITION_BYTES)), 0, 'latin1');
  // One flat string: a concatenation would be a rope, flattened at a cost by whoever first compares it.
  return buffer.toString('latin1') as Address;
}

/** Takes an address apart. Checks its form and limits, not that the position is the hash: see `verifyAddress`. */
export function parseAddress(text: BinaryString): Result<ParsedAddress, ArmatureError> {
  if (text.length <= POSITION_BYTES) return malformed(`${text.length} bytes are too few`);
  const nameBytes = text.charCodeAt(POSITION_BYTES);
  const keyStart = POSITION_BYTES + 1 + nameBytes;
  if (text.length < keyStart) return malformed('it ends inside the bucket name');
  if (text.length - keyStart > MAX_KEY_BYTES)
    return malformed(`its key of ${text.length - keyStart} bytes exceeds ${MAX_KEY_BYTES}`);
  const bucket = parseBucketName(text.slice(POSITION_BYTES + 1, keyStart));
  if (!bucket.ok) return bucket;
  const bytes = fromBinaryString(text);
  return ok({ position: bytes.subarray(0, POSITION_BYTES) as Position, bucket: bucket.value, key: bytes.subarray(keyStart) });
}

/**
 * `parseAddress`, and the position is indeed the hash of bucket and key. For addresses from outside the trust
 * domain: a forged position would store a key where no other reader looks for it.
 */
export function verifyAddress(text: BinaryString): Result<ParsedAddress, ArmatureError> {
  const parsed = parseAddress(text);
  if (!parsed.ok) return parsed;
  const hashed = md5(asBuffer(fromBinaryString(text)).subarray(POSITION_BYTES));
  return text.startsWith(hashed) ? parsed : malformed('its position is not the hash of its bucket and key');
}

/** The bucket of a well-formed address; one slice. */
export function bucketOfAddress(address: Address): BucketName {
  return address.slice(POSITION_BYTES + 1, POSITION_BYTES + 1 + address.charCodeAt(POSITION_BYTES)) as BucketName;
}

/** The key of a well-formed address. */
export function keyOfAddress(address: Address): Uint8Array {
  return fromBinaryString(address.slice(POSITION_BYTES + 1 + address.charCodeAt(POSITION_BYTES)) as BinaryString);
}

/** The position of a well-formed address. */
export function positionOfAddress(address: Address): Position {
  return asPosition(address);
}

/** Whether an address (or a bare position) lies in the range. */
export function rangeContains(range: PositionRange, address: BinaryString): boolean {
  return address >= range.start && (range.end === undefined || address < range.end);
}

function asPosition(address: Address): Position {
  return fromBinaryString(address.slice(0, POSITION_BYTES) as BinaryString) as Position;
}

function malformed(why: string): Result<never, ArmatureError> {
  return err(
    new ArmatureError('invalid-argument', `malformed address: ${why}`, {
      remedy: 'Build addresses with addressOf(bucket, key).',
    }),
  );
}
