/** The decision at a door: whether a request for a key, or a listing, is carried out. All doors for keys ask this, and nothing else. */
import type { ArmatureError, BucketName } from '@armature/kernel';
import type { Access } from './access.js';
import type { Right } from './grant.js';
import { allows, type Token } from './token.js';
import { forbidden, missingToken } from './token-errors.js';
import { staleness } from './token-seal.js';

export interface Wish {
  readonly right: Right;
  readonly bucket: BucketName;
  /** Undefined for a listing. */
  readonly key: Uint8Array | undefined;
}

/**
 * Why not, or undefined where it is allowed: `unauthenticated` where a token is needed, or the one that is shown does not count any more; `forbidden`. `token` is an authentic one.
 */
export function authorize(access: Access, nowMs: number, token: Token | undefined, wish: Wish): ArmatureError | undefined {
  if (token === undefined) return access.tokens === 'required' ? missingToken() : undefined;
  const stale = staleness(token, { nowMs, generation: access.generation });
  if (stale !== undefined) return stale;
  return allows(token, wish.bucket, wish.key, wish.right) ? undefined : forbidden(token, wish.right, wish.bucket);
}
