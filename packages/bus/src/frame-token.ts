/**
 * What an endpoint has to know of a frame before it can have the keys to verify it: who the frame says it is from, and the token
 * that it shows. Nothing of that is believed until the MAC of the frame has been verified with the keys that belong to that
 * token.
 */
import { ByteReader, DecodeError } from '@armature/kernel';
import { PROTOCOL_VERSION, RECORD, readHeader } from './frame.js';
import { FrameMac } from './frame-mac.js';
import { isLinkAddress, type LinkAddress } from './link-address.js';
import { MAX_TOKEN_BYTES } from './link-options.js';
import type { RefusalCode } from './refusal.js';

export interface ShownToken {
  readonly address: LinkAddress;
  /** A view of the frame. */
  readonly token: Uint8Array;
}

/**
 * Undefined for what is no frame at all; the word to refuse it with for a frame of another cluster or version, and for one that
 * shows no token or has no MAC.
 */
export function tokenShownIn(frame: Uint8Array, ofCluster: string): ShownToken | RefusalCode | undefined {
  const reader = new ByteReader(frame);
  try {
    const { cluster, version, address, isSealed } = readHeader(reader);
    if (!isLinkAddress(address)) return undefined;
    if (cluster !== ofCluster) return 'wrong-cluster';
    if (version !== PROTOCOL_VERSION) return 'protocol-mismatch';
    if (!isSealed || reader.u8() !== RECORD.token) return 'unauthenticated';
    const length = reader.u32();
    return length > MAX_TOKEN_BYTES ? 'unauthenticated' : { address, token: reader.raw(length) };
  } catch (thrown) {
    if (thrown instanceof DecodeError) return undefined;
    throw thrown;
  }
}

/** Whether a frame from `from` to `to` ends with a MAC under this key, which is one of `LinkOptions.keys`. */
export function isFrameSealedWith(key: Uint8Array, frame: Uint8Array, from: LinkAddress, to: LinkAddress): boolean {
  return new FrameMac([key], to, from).verifies(frame);
}
