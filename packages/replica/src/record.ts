/**
 * The stored record: a version set in an envelope that notices bit rot.
 *
 *   format  u8, 1
 *   crc     u32 little-endian, CRC-32 of the set
 *   set     the canonical bytes of the version set
 *
 * Disks and memory do flip bits; an engine's block checksums guard its files, not what happened before it was handed the bytes.
 *
 * On LevelDB a record is checked twice, here and in the adapter (`storage-level/sealed-value.ts`), and neither is one too many.
 * This one holds over any engine, from the moment the set is made to every time it is read, the caches between included. The
 * adapter's covers what is not a record too (the membership history, the actor's epoch), and tells a scan where to go on. The
 * second check costs 0.2 us of the 80 a put takes and of the 30 of a get at 150 bytes, and 7 us each way at 10 KB, measured;
 * copying the bytes costs more.
 *
 * A record that fails its check is never served and never joined: the replica treats the key as lost and lets its peers refill
 * it.
 */
import { crc32 } from 'node:zlib';
import { asBuffer } from '@armature/kernel';

const FORMAT = 1;
const HEADER_BYTES = 5;

/** The envelope around `set`, in memory of its own, so that it may outlive the frame that `set` came in. */
export function sealRecord(set: Uint8Array): Uint8Array {
  const record = Buffer.allocUnsafeSlow(HEADER_BYTES + set.length);
  record[0] = FORMAT;
  record.writeUInt32LE(crc32(asBuffer(set)), 1);
  record.set(set, HEADER_BYTES);
  return record;
}

/** The set inside, as a view; undefined where the record is damaged or not a record. */
export function openRecord(record: Uint8Array): Uint8Array | undefined {
  if (record.length < HEADER_BYTES || record[0] !== FORMAT) return undefined;
  const buffer = asBuffer(record);
  const set = buffer.subarray(HEADER_BYTES);
  return buffer.readUInt32LE(1) === crc32(set) ? set : undefined;
}
