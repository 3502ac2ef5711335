/**
 * The digest of one entry of a tree: 128 bits of SHA-256 over the key's address and the canonical bytes of its version set.
 *
 * The address is hashed too, so that two keys with equal values are two different terms of the sum, and its length goes first, so
 * that no bytes can move from the address to the set. Version sets have one encoding each, so equal states have equal digests on
 * every replica, whoever wrote them and in which order.
 */
import { hash } from 'node:crypto';
import type { BinaryString, Brand } from '@armature/kernel';

/** 16 bytes, as a binary string. */
export type EntryDigest = Brand<BinaryString, 'EntryDigest'>;

export const DIGEST_BYTES = 16;
const LENGTH_BYTES = 4;

/** About a microsecond for a short value. */
export function entryDigest(address: BinaryString, set: Uint8Array): EntryDigest {
  const setStart = LENGTH_BYTES + address.length;
  const input = Buffer.allocUnsafe(setStart + set.length);
  input.writeUInt32LE(address.length, 0);
  input.write(address, LENGTH_BYTES, 'latin1');
  input.set(set, setStart);
  return hash('sha256', input, 'binary').slice(0, DIGEST_BYTES) as EntryDigest;
}
