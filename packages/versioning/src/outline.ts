/**
 * Outlines: version sets without values and metadata. In the place of each value stands its size.
 *
 * Whether a key is there follows from who wrote what when and what of it is a tombstone, so a listing of keys moves outlines,
 * some tens of bytes each, whatever the values weigh. A set that no message can carry is read as an outline, too: it has the
 * context with which the set can be replaced.
 *
 * Outlines join like the sets they were made of. They are never stored, and never joined with what is stored: to a replica an
 * outline would be the same set with other values.
 */
import { EMPTY_BYTES } from '@armature/kernel';
import { decodeVersionSet, encodeVersionSet } from './codec.js';
import { NO_META, type Version } from './version.js';
import type { VersionSet } from './version-set.js';

/** A size, as an unsigned integer, little-endian. */
const SIZE_BYTES = 4;

export function outlineOf({ clock, siblings, superseded }: VersionSet): VersionSet {
  const bare = siblings.map(({ dot, version }) => ({ dot, version: { ...version, value: sizeOf(version), meta: NO_META } }));
  return { clock, siblings: bare, superseded };
}

/** The outline of an encoded set, encoded; undefined for bytes that are no version set. */
export function encodedOutlineOf(bytes: Uint8Array): Uint8Array | undefined {
  const decoded = decodeVersionSet(bytes);
  return decoded.ok ? encodeVersionSet(outlineOf(decoded.value)) : undefined;
}

/** Bytes of the value of which an outline has this version. */
export function outlinedBytes({ value, tombstone }: Pick<Version, 'value' | 'tombstone'>): number {
  return tombstone || value.length !== SIZE_BYTES ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

function sizeOf({ value, tombstone }: Version): Uint8Array {
  if (tombstone) return EMPTY_BYTES;
  const size = new Uint8Array(SIZE_BYTES);
  new DataView(size.buffer).setUint32(0, value.length, true);
  return size;
}
