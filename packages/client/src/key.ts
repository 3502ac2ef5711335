/** Keys and metadata as applications give them, checked before anything is encoded. */
import { ArmatureError, exactUtf8Encode, unwrap, type BucketName } from '@armature/kernel';
import { checkedAddress } from '@armature/coordination';
import type { Meta } from '@armature/protocol';
import type { Address } from '@armature/ring';
import { checkMeta } from '@armature/versioning';

/**
 * Text keys are stored as UTF-8. Text that has no UTF-8 (half a surrogate pair) is refused: it would share a key with other such
 * text.
 */
export type Key = string | Uint8Array;

/** Throws `invalid-argument` for text without UTF-8 and for an empty key, `too-large` for a long one. */
export function addressOfKey(bucket: BucketName, key: Key): Address {
  return unwrap(checkedAddress(bucket, typeof key === 'string' ? bytesOfText(key) : key));
}

/**
 * Metadata with the value's type first. What the caller adds is checked here, because encoding for the wire would replace what
 * UTF-8 cannot express.
 */
export function metaWith(contentType: string, own: Readonly<Record<string, string>> | undefined): Meta {
  if (own === undefined) return [['content-type', contentType]];
  return unwrap(checkMeta(Object.entries({ 'content-type': contentType, ...own })));
}

function bytesOfText(key: string): Uint8Array {
  const bytes = exactUtf8Encode(key);
  if (bytes !== undefined) return bytes;
  throw new ArmatureError('invalid-argument', 'the key holds half a surrogate pair, which UTF-8 cannot express', {
    remedy: 'Pass well-formed text, or the bytes of the key as a Uint8Array.',
  });
}
