/**
 * The bytes of a version set, on the wire and in the store:
 *
 *   format      u8: 1; 2 where superseded operations follow the versions; 3 where superseded repetitions follow as well
 *   clock       varint count, then (actor 8 bytes, counter varint), sorted by actor
 *   dots        varint count, then (index into the clock varint, counter varint), sorted
 *   versions    per dot: flags u8 (1 tombstone, 2 metadata, 4 minted for a repetition), at u64 little-endian, operation 8 bytes,
 *               value (varint length, bytes) unless tombstone, metadata (varint count, pairs of texts) if flagged
 *   superseded  in format 2: varint count, at least 1; the greatest at u64, then per operation: by how much less its at is than
 *               the one before (varint; 0 for the first), operation 8 bytes; greatest first. In format 3: the same, whose count
 *               may be 0, then nothing follows it; and once more for repetitions, at least one
 *
 * Canonical: a set has one encoding and decoding refuses every other, so equal sets are equal bytes, which anti-entropy hashes
 * and `joinEncoded` compares. A dot names its actor by index, which makes it small and makes a dot outside the clock
 * inexpressible but for its counter.
 *
 * Operations that were superseded come last: a key that was written once has none, and takes no byte for them.
 *
 * Decoding is total: bounds are checked before reading, counts before allocating, and the only failure is a `DecodeError`.
 */
import { ByteReader, ByteWriter, DecodeError, EMPTY_BYTES, MAX_META_ENTRIES, err, ok, type Result } from '@armature/kernel';
import type { Dot } from './actor.js';
import { readCounter, readHlc, readVersionVector, writeHlc, writeId, writeVersionVector } from './clock-codec.js';
import { NONE_SUPERSEDED, readSuperseded, writeSuperseded, type SupersededOperations } from './superseded.js';
import type { VersionVector } from './version-vector.js';
import { estimateSizeBytes, type Sibling, type VersionSet } from './version-set.js';
import {
  MAX_META_BYTES,
  NO_META,
  OPERATION_BYTES,
  metaSizeBytes,
  type OperationId,
  type Version,
  type VersionMeta,
} from './version.js';

/** No superseded operations. */
const FORMAT = 1;
const FORMAT_WITH_SUPERSEDED = 2;
const FORMAT_WITH_REPETITIONS = 3;
const TOMBSTONE = 1;
const META = 2;
const REPEATED = 4;
/** Clock index and counter, a byte each at least. */
const MIN_DOT_BYTES = 2;

/** The canonical bytes, in memory of their own. */
export function encodeVersionSet(set: VersionSet): Uint8Array {
  const writer = new ByteWriter(estimateSizeBytes(set));
  const format = formatOf(set.superseded);
  writer.u8(format);
  writeVersionVector(writer, set.clock);
  writer.varint(set.siblings.length);
  let index = 0;
  for (const { dot } of set.siblings) {
    while (set.clock[index]?.actor !== dot.actor) index++; // both are sorted by actor
    writer.varint(index).varint(dot.counter);
  }
  for (const { version } of set.siblings) writeVersion(writer, version);
  if (format !== FORMAT) writeSuperseded(writer, set.superseded, format === FORMAT_WITH_REPETITIONS);
  return writer.finish();
}

function formatOf(superseded: SupersededOperations): number {
  if (superseded === NONE_SUPERSEDED) return FORMAT;
  if (superseded.repeated.length > 0) return FORMAT_WITH_REPETITIONS;
  return superseded.lately.length > 0 ? FORMAT_WITH_SUPERSEDED : FORMAT;
}

/**
 * The set. Values are *views* into `bytes`, not copies: they live as long as `bytes` does and change with it. Who keeps a value
 * beyond the life of a pooled or reused receive buffer copies it first.
 */
export function decodeVersionSet(bytes: Uint8Array): Result<VersionSet, DecodeError> {
  try {
    return ok(readVersionSet(new ByteReader(bytes)));
  } catch (thrown) {
    if (thrown instanceof DecodeError) return err(thrown);
    throw thrown;
  }
}

function readVersionSet(reader: ByteReader): VersionSet {
  const format = reader.u8();
  if (format < FORMAT || format > FORMAT_WITH_REPETITIONS) {
    throw new DecodeError(`version set of format ${format}, expected ${FORMAT} to ${FORMAT_WITH_REPETITIONS}`);
  }
  const clock = readVersionVector(reader);
  const siblings: Sibling[] = [];
  for (const dot of readDots(reader, clock)) siblings.push({ dot, version: readVersion(reader) });
  const superseded = format === FORMAT ? NONE_SUPERSEDED : readSuperseded(reader, format === FORMAT_WITH_REPETITIONS);
  reader.end();
  return { clock, siblings, superseded };
}

function readDots(reader: ByteReader, clock: VersionVector): Dot[] {
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
  return dots;
}

function writeVersion(writer: ByteWriter, version: Version): void {
  const { tombstone, meta, value, at, repeated } = version;
  writer.u8((tombstone ? TOMBSTONE : 0) | (meta.length > 0 ? META : 0) | (repeated ? REPEATED : 0));
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
  if (flags > (TOMBSTONE | META | REPEATED)) throw new DecodeError(`unknown version flags ${flags}`);
  const at = readHlc(reader);
  const operation = reader.rawHex(OPERATION_BYTES) as OperationId;
  const tombstone = (flags & TOMBSTONE) !== 0;
  const value = tombstone ? EMPTY_BYTES : reader.blob();
  const meta = (flags & META) !== 0 ? readMeta(reader) : NO_META;
  return { value, tombstone, at, operation, repeated: (flags & REPEATED) !== 0, meta };
}

function readMeta(reader: ByteReader): VersionMeta {
  const length = reader.count(2);
  if (length === 0 || length > MAX_META_ENTRIES) throw new DecodeError(`${length} metadata entries`);
  const meta: (readonly [string, string])[] = [];
  for (let i = 0; i < length; i++) meta.push([reader.text(), reader.text()]);
  if (metaSizeBytes(meta) > MAX_META_BYTES) throw new DecodeError('metadata too large');
  return meta;
}
