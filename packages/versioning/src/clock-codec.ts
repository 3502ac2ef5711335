/**
 * The bytes of clocks and ids, shared by version sets and contexts. A version vector is a varint count, then (8 bytes of
 * actor, varint counter) in actor order; a hybrid timestamp is 8 bytes, little-endian; an id is the 8 bytes that its hex
 * digits spell.
 *
 * A cluster has a few dozen actors, and every set that is read names some of them. Turning eight bytes into the same
 * sixteen-character string over and over would be most of the cost of decoding, so the strings are kept in a small
 * direct-mapped table: a slot per hash, last one wins. The table is bounded, affects nothing but speed, and makes equal
 * actors the same string object, which `===` sees at once.
 */
import { DecodeError, type ByteReader, type ByteWriter, type Hlc } from '@armature/kernel';
import { ACTOR_BYTES, type ActorId, type Dot } from './actor.js';
import { EMPTY_VECTOR, type VersionVector } from './version-vector.js';
import type { OperationId } from './version.js';

const U32 = 2 ** 32;
/** An actor and a counter of one byte. */
const MIN_ENTRY_BYTES = ACTOR_BYTES + 1;

/** 1,024 slots: under 100 KiB, and two of 50 live actors share a slot about once. Must be a power of two. */
const SLOTS = 1024;
const slotLow = new Uint32Array(SLOTS);
const slotHigh = new Uint32Array(SLOTS);
const slotActor = new Array<ActorId | undefined>(SLOTS).fill(undefined);

/** Value of a hex digit by char code. */
const NIBBLE = new Uint8Array(128);
for (let value = 0; value < 16; value++) NIBBLE[value.toString(16).charCodeAt(0)] = value;

export function writeVersionVector(writer: ByteWriter, vector: VersionVector): void {
  writer.varint(vector.length);
  for (const { actor, counter } of vector) {
    writeId(writer, actor);
    writer.varint(counter);
  }
}

/** Throws `DecodeError` for anything but what `writeVersionVector` writes. */
export function readVersionVector(reader: ByteReader): VersionVector {
  const length = reader.count(MIN_ENTRY_BYTES);
  if (length === 0) return EMPTY_VECTOR;
  const entries: Dot[] = [];
  let previous = '';
  for (let i = 0; i < length; i++) {
    const actor = readActor(reader);
    if (actor <= previous) throw new DecodeError('clock entries out of order');
    previous = actor;
    entries.push({ actor, counter: readCounter(reader) });
  }
  return entries as readonly Dot[] as VersionVector;
}

/** A counter of an event: at least 1. */
export function readCounter(reader: ByteReader): number {
  const counter = reader.varint();
  if (counter === 0) throw new DecodeError('a counter of zero');
  return counter;
}

/**
 * The 8 bytes of an id. Buffer's own hex conversion leaves JavaScript for every call, which for eight bytes costs more than
 * the conversion.
 */
export function writeId(writer: ByteWriter, id: ActorId | OperationId): void {
  writer.u32(hexToU32(id, 0)).u32(hexToU32(id, 8));
}

/** Eight hex digits from `offset`, as the little-endian integer of the bytes that they spell. */
export function hexToU32(hex: string, offset: number): number {
  let value = 0;
  for (let i = 6; i >= 0; i -= 2) {
    const high = NIBBLE[hex.charCodeAt(offset + i)] as number;
    const low = NIBBLE[hex.charCodeAt(offset + i + 1)] as number;
    value = (value << 8) | (high << 4) | low;
  }
  return value >>> 0;
}

/** A present-day timestamp would take as many bytes as a varint, and more time. */
export function writeHlc(writer: ByteWriter, at: Hlc): void {
  writer.u32(at % U32).u32(Math.floor(at / U32));
}

export function readHlc(reader: ByteReader): Hlc {
  const low = reader.u32();
  const high = reader.u32();
  if (high >= 2 ** 21) throw new DecodeError('timestamp beyond 2^53');
  return (high * U32 + low) as Hlc;
}

function readActor(reader: ByteReader): ActorId {
  const low = reader.u32();
  const high = reader.u32();
  const slot = (low ^ high) & (SLOTS - 1);
  const known = slotActor[slot];
  if (known !== undefined && slotLow[slot] === low && slotHigh[slot] === high) return known;
  const bytes = Buffer.allocUnsafe(ACTOR_BYTES);
  bytes.writeUInt32LE(low, 0);
  bytes.writeUInt32LE(high, 4);
  const actor = bytes.toString('hex') as ActorId;
  slotLow[slot] = low;
  slotHigh[slot] = high;
  slotActor[slot] = actor;
  return actor;
}
