/**
 * Outlines: version sets without values and metadata. Whether a key is there follows from who wrote what when and what of it is a tombstone, so a
 * listing of keys moves outlines, some tens of bytes each, whatever the values weigh. Outlines join like the sets they were made of. They are never stored: to a
 * replica an outline would be the same set with other values.
 */
import { EMPTY_BYTES } from '@armature/kernel';
import { decodeVersionSet, encodeVersionSet } from './codec.js';
import { NO_META } from './version.js';

/** The outline of an encoded set, encoded; undefined for bytes that are no version set. */
export function outlineOf(bytes: Uint8Array): Uint8Array | undefined {
  const decoded = decodeVersionSet(bytes);
  if (!decoded.ok) return undefined;
  const { clock, siblings, superseded } = decoded.value;
  const bare = siblings.map(({ dot, version }) => ({ dot, version: { ...version, value: EMPTY_BYTES, meta: NO_META } }));
  return encodeVersionSet({ clock, siblings: bare, superseded });
}
