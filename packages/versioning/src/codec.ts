/**
 * The bytes of a version set, on the wire and in the store:
 *
 *   format      u8, 1
 *   clock       varint count, then (actor 8 bytes, counter varint), sorted by actor
 *   dots        varint count, then (index into the clock varint, counter varint), sorted
 *   versions    per dot: flags u8 (1 tombstone, 2 metadata), at u64 little-endian, operation 8 bytes,
 *               value (varint length, bytes) unless tombstone, metadata (varint count, pairs of texts) if flagged
 *
 * Canonical: a set has one encoding and decoding refuses every other, so equal sets are equal bytes, which anti-entropy
 * hashes and `joinEncoded` compares. Clock and dots come first so that who has seen what is decided without touching values. A
 * dot names its actor by index, which makes it small and makes a dot outside the clock inexpressible but for its counter.
 *
 * Decoding is total: bounds are checked before reading, counts before allocating, and the only failure is a `DecodeError`.
 */
import { ByteReader, ByteWriter, DecodeError, EMPTY_BYTES, bytesEqual, err, ok, utf8Encode, type Result } from '@armature/kernel';
import type { Dot } from './actor.js';
import { readCounter, readHlc, readVersionVector, writeHlc, writeId, writeVersionVector } from './clock-codec.js';
import type { VersionVector } from './version-vector.js';
import { estimateSizeBytes, type Sibling, type VersionSet } from './version-set.js';
import {
  MAX_META_BYTES,
  MAX_META_ENTRIES,
  NO_META,
  OPERATION_BYTES,
  metaSizeBytes,
  type OperationId,
  type Version,
  type VersionMeta,
} from './version.js';

const FORMAT = 1;
const TOMBSTONE = 1;
const META = 2;
/** Clock index and counter, a byte each at least. */
const MIN_DOT_BYTES = 2;

/** What precedes the values: enough to decide dominance. */
export interface VersionSetHead {
  readonly clock: VersionVector;
  /** The dots of the siblings, in their order. */
  readonly dots: readonly Dot[];
}

/** The canonical bytes, in memory of their own. */
export function encodeVersionSet(set: VersionSet): Uint8Array {
  const writer = new ByteWriter(estimateSizeBytes(set));
  writer.u8(FORMAT);
  writeVersionVector(writer, set.clock);
  writer.varint(set.siblings.length);
  let index = 0;
  for (const { dot } of set.siblings) {
    while (set.clock[index]?.actor !== dot.actor) index++; // both are sorted by actor
    writer.varint(index).varint(dot.counter);
  }
  for (const { version } of set.siblings) writeVersion(writer, version);
  return writer.finish();
}

/**
 * The set. Values are *views* into `bytes`, not copies: they live as long as `bytes` does and change with it. Who keeps a value
 * beyond the life of a pooled or reused receive buffer copies it first.
 */
export function decodeVersionSet(bytes: Uint8Array): Result<VersionSet, DecodeError> {
  return decoding(bytes, readVersionSet);
}

/** The clock and the dots only; what follows them is not looked at. */
export function decodeHead(bytes: Uint8Array): Result<VersionSetHead, DecodeError> {
  return decoding(bytes, readHead);
}

/** The clock only; what follows it is not looked at. */
export function decodeClock(bytes: Uint8Array): Result<VersionVector, DecodeError> {
  return decoding(bytes, readClock);
}

function decoding<T>(bytes: Uint8Array, read: (reader: ByteReader) => T): Result<T, DecodeError> {
  try {
    return ok(read(new ByteReader(bytes)));
  } catch (thrown) {
    if (thrown instanceof DecodeError) return err(thrown);
    throw thrown;
  }
}

function readVersionSet(reader: ByteReader): VersionSet {
  const { clock, dots } = readHead(reader);
  const siblings: Sibling[] = [];
  for (const dot of dots) siblings.push({ dot, version: readVersion(reader) });
  reader.end();
  return { clock, siblings };
}

function readHead(reader: ByteReader): VersionSetHead {
  const clock = readClock(reader);
  const length = reader.count(MIN_DOT_BYTES);
  const dots: Dot[] = [];
  let previousIndex = -1;
  let previousCounter = 0;
  for (let i = 0; i < length; i++) {
    const index = reader.varint();
    const counter = readCounter(reader);
    const seen = clock[index];
    if (seen === undefined || counter > seen.counter) throw new DecodeError('a dot that the clock does not cover');
    if (index < previousIndex || (index === previousIndex && counter <= previousCounter))
      throw new DecodeError('dots out of order');
    // Mostly the dot is its actor's last event, and then it is the clock's own entry.
    dots.push(counter === seen.counter ? seen : { actor: seen.actor, counter });
    previousIndex = index;
    previousCounter = counter;
  }
  return { clock, dots };
}

function readClock(reader: ByteReader): VersionVector {
  const format = reader.u8();
  if (format !== FORMAT) throw new DecodeError(`version set of format ${format}, expected ${FORMAT}`);
  return readVersionVector(reader);
}

function writeVersion(writer: ByteWriter, version: Version): void {
  const { tombstone, meta, value, at } = version;
  writer.u8((tombstone ? TOMBSTONE : 0) | (meta.length > 0 ? META : 0));
  writeHlc(writer, at);
  writeId(writer, version.operation);
  if (!tombstone) writer.blob(value);
  if (meta.length > 0) {
    writer.varint(meta.length);
    for (const [name, text] of meta) writer.text(name).text(text);
  }
}

function readVersion(reader: ByteReader): Version {
  const flags = reader.u8();
  if (flags > (TOMBSTONE | META)) throw new DecodeError(`unknown version flags ${flags}`);
  const at = readHlc(reader);
  const operation = reader.rawHex(OPERATION_BYTES) as OperationId;
  const tombstone = (flags & TOMBSTONE) !== 0;
  const value = tombstone ? EMPTY_BYTES : reader.blob();
  const meta = (flags & META) !== 0 ? readMeta(reader) : NO_META;
  return { value, tombstone, at, operation, meta };
}

function readMeta(reader: ByteReader): VersionMeta {
  const length = reader.count(2);
  if (length === 0 || length > MAX_META_ENTRIES) throw new DecodeError(`${length} metadata entries`);
  const meta: (readonly [string, string])[] = [];
  for (let i = 0; i < length; i++) meta.push([readText(reader), readText(reader)]);
  if (metaSizeBytes(meta) > MAX_META_BYTES) throw new DecodeError('metadata too large');
  return meta;
}

/** Text that is exactly its UTF-8: a malformed sequence would decode to U+FFFD and encode to other bytes. */
function readText(reader: ByteReader): string {
  const bytes = reader.blob();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  if (!bytesEqual(utf8Encode(text), bytes)) throw new DecodeError('metadata is not UTF-8');
  return text;
}
