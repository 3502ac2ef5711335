/**
 * The MAC of a frame: proof that its sender holds the cluster's secret, that nobody has changed a byte of it, and that it is
 * meant for this receiver.
 *
 * HMAC-SHA-256 (RFC 2104), truncated to 16 bytes, over the whole frame. The key is that of one direction between two addresses:
 * it is derived from the link key of the cluster, the sender's address and the receiver's. So the receiver is covered although
 * its address is not in the frame, and a frame that is sent on to somebody else, or back to its sender, does not verify. What
 * keeps an old frame from being taken twice is `pairing.ts`.
 *
 * There may be several link keys while the secret of a cluster is being changed: the first seals, and all verify.
 */
import { utf8Encode, type BinaryString, type ByteWriter } from '@armature/kernel';
import { HmacKey } from './hmac.js';

export const MAC_BYTES = 16;

/** Of an endpoint towards one peer. */
export class FrameMac {
  readonly #sealing: HmacKey;
  readonly #verifying: readonly HmacKey[];

  /** `linkKeys` are those of the endpoint, at least one, 32 bytes each; `own` and `peer` are link addresses. */
  constructor(linkKeys: readonly Uint8Array[], own: string, peer: string) {
    this.#sealing = directionKey(linkKeys[0] as Uint8Array, own, peer);
    this.#verifying = linkKeys.map((key) => directionKey(key, peer, own));
  }

  /** Ends a frame to the peer with its MAC. */
  seal(frame: ByteWriter): void {
    frame.rawBinary(this.#sealing.of(frame.written).slice(0, MAC_BYTES) as BinaryString);
  }

  /** Whether a frame from the peer ends with the MAC of what goes before. */
  verifies(frame: Uint8Array): boolean {
    const end = frame.length - MAC_BYTES;
    if (end < 0) return false;
    for (const key of this.#verifying) if (endsWith(frame, end, key.of(frame, end))) return true;
    return false;
  }
}

/** Compares in a time that does not tell where they differ. */
function endsWith(frame: Uint8Array, end: number, mac: string): boolean {
  let difference = 0;
  for (let i = 0; i < MAC_BYTES; i++) difference |= (frame[end + i] as number) ^ mac.charCodeAt(i);
  return difference === 0;
}

/** An address has no white space in it, so no two pairs make one text. */
function directionKey(linkKey: Uint8Array, from: string, to: string): HmacKey {
  return new HmacKey(Buffer.from(new HmacKey(linkKey).of(utf8Encode(`${from} ${to}`)), 'latin1'));
}
