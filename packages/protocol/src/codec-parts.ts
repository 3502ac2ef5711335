/**
 * The parts that several messages share: addresses and other optional or checked fields, user metadata, siblings as answered to
 * clients, receipts.
 */
import {
  DecodeError,
  MAX_META_ENTRIES,
  MAX_NAME_CHARS,
  isErrorCode,
  parseBucketName,
  type BinaryString,
  type BucketName,
  type ByteReader,
  type ByteWriter,
  type NodeId,
  type PartitionId,
} from '@armature/kernel';
import { MAX_ADDRESS_BYTES, type Address } from '@armature/ring';
import type { FetchedSibling, Meta, RingVersion } from './messages.js';
import type { SynchronisedShare } from './synchronisation.js';
import type { Receipt, ReplicaOutcome, ReplicaReceipt, ReplicaRole } from './receipt.js';

const ROLES: readonly ReplicaRole[] = ['primary', 'pending', 'fallback'];
/** One byte for what nearly every receipt says; 255 announces an error code as text. */
const OUTCOMES: readonly ReplicaOutcome[] = ['ok', 'durable', 'waiting'];
const OTHER_OUTCOME = 255;

/** position (16) + bucket-name length (1) + a bucket name of at least one character. */
export const MIN_ADDRESS_BYTES = 18;

/** Two length bytes. */
const MIN_META_BYTES = 2;
/** Flags, timestamp, value length, meta count. */
const MIN_SIBLING_BYTES = 4;
/** Name length, role, outcome. */
const MIN_REPLICA_BYTES = 3;

export function encodeMeta(w: ByteWriter, meta: Meta): void {
  w.varint(meta.length);
  for (const [name, value] of meta) w.text(name).text(value);
}

const NO_META: Meta = [];

export function decodeMeta(r: ByteReader): Meta {
  const count = r.count(MIN_META_BYTES);
  // Before any of it is read: each pair takes many times as much memory as it has bytes.
  if (count > MAX_META_ENTRIES) throw new DecodeError(`${count} entries of metadata, at most ${MAX_META_ENTRIES} are allowed`);
  if (count === 0) return NO_META;
  const meta: [string, string][] = [];
  for (let i = 0; i < count; i++) meta.push([r.text(), r.text()]);
  return meta;
}

export function encodeSiblings(w: ByteWriter, siblings: readonly FetchedSibling[]): void {
  w.varint(siblings.length);
  for (const sibling of siblings) {
    w.u8(sibling.tombstone ? 1 : 0)
      .varint(sibling.at)
      .blob(sibling.value);
    encodeMeta(w, sibling.meta);
  }
}

export function decodeSiblings(r: ByteReader): FetchedSibling[] {
  const siblings: FetchedSibling[] = [];
  for (let left = r.count(MIN_SIBLING_BYTES); left > 0; left--) {
    siblings.push({ tombstone: decodeFlag(r), at: r.varint(), value: r.blob(), meta: decodeMeta(r) });
  }
  return siblings;
}

/** A byte that is 0 or 1. Anything else is refused, so that each message has one encoding and the other values stay free. */
export function decodeFlag(r: ByteReader): boolean {
  const byte = r.u8();
  if (byte > 1) throw new DecodeError(`flag byte ${byte}`);
  return byte === 1;
}

export function encodeReceipt(w: ByteWriter, receipt: Receipt): void {
  w.text(receipt.coordinator).varint(receipt.replicas.length);
  for (const replica of receipt.replicas) {
    w.text(replica.node).u8(ROLES.indexOf(replica.role));
    const outcome = OUTCOMES.indexOf(replica.outcome);
    if (outcome >= 0) w.u8(outcome);
    else w.u8(OTHER_OUTCOME).text(replica.outcome);
  }
}

export function decodeReceipt(r: ByteReader): Receipt {
  const coordinator = r.text(MAX_NAME_CHARS) as NodeId;
  const replicas: ReplicaReceipt[] = [];
  for (let left = r.count(MIN_REPLICA_BYTES); left > 0; left--) {
    replicas.push({ node: r.text(MAX_NAME_CHARS) as NodeId, role: decodeRole(r), outcome: decodeOutcome(r) });
  }
  return { coordinator, replicas };
}

function decodeRole(r: ByteReader): ReplicaRole {
  const role = ROLES[r.u8()];
  if (role === undefined) throw new DecodeError('unknown replica role');
  return role;
}

function decodeOutcome(r: ByteReader): ReplicaOutcome {
  const byte = r.u8();
  const known = OUTCOMES[byte];
  if (known !== undefined) return known;
  const text = byte === OTHER_OUTCOME ? r.text(MAX_NAME_CHARS) : '';
  if (!isErrorCode(text)) throw new DecodeError('unknown replica outcome');
  return text;
}

export function readRing(r: ByteReader): RingVersion {
  return r.varint() as RingVersion;
}

/** Framing only: whether position, bucket and key agree is the business of whoever trusts the sender or not. */
export function readAddress(r: ByteReader): Address {
  const text = r.binary(MAX_ADDRESS_BYTES);
  if (text.length < MIN_ADDRESS_BYTES) throw new DecodeError(`address of ${text.length} bytes`);
  return text as string as Address;
}

export function writeOptional(w: ByteWriter, text: BinaryString | undefined): void {
  if (text === undefined) w.u8(0);
  else w.u8(1).binary(text);
}

/** A bound of a range of addresses, or where a listing goes on: an address, or what begins one, or the very next after one. */
export function readBound(r: ByteReader): BinaryString {
  return r.binary(MAX_ADDRESS_BYTES + 1);
}

export function readOptional(r: ByteReader): BinaryString | undefined {
  return decodeFlag(r) ? readBound(r) : undefined;
}

export function readOptionalBucket(r: ByteReader): BucketName | undefined {
  const text = readOptional(r);
  return text === undefined ? undefined : readBucket(text);
}

export function readBucket(text: string): BucketName {
  return must(parseBucketName(text));
}

export function must<T>(result: { ok: true; value: T } | { ok: false; error: Error }): T {
  if (result.ok) return result.value;
  throw new DecodeError(result.error.message);
}

export function writeShare(w: ByteWriter, { ring, partition, n }: SynchronisedShare): ByteWriter {
  return w.varint(ring).varint(partition).varint(n);
}

export function readShare(r: ByteReader): SynchronisedShare {
  return { ring: readRing(r), partition: r.varint() as PartitionId, n: r.varint() };
}

/** `minBytesEach`: what an element takes up at least, so that no count is believed that cannot be paid for. */
export function readList<T>(r: ByteReader, minBytesEach: number, readOne: () => T): T[] {
  const list: T[] = [];
  for (let left = r.count(minBytesEach); left > 0; left--) list.push(readOne());
  return list;
}
