/**
 * The decisions at the doors: whether a request for a key, or a listing, is carried out, and whether a command of administration
 * is. All doors ask these, and nothing else.
 */
import type { ArmatureError, BucketName } from '@armature/kernel';
import type { Access } from './access.js';
import type { Right } from './grant.js';
import { allows, allowsRole, type Role, type Token } from './token.js';
import { forbidden, forbiddenRole, missingToken } from './token-errors.js';
import { staleness } from './token-seal.js';

export interface Wish {
  readonly right: Right;
  readonly bucket: BucketName;
  /** Undefined for a listing. */
  readonly key: Uint8Array | undefined;
}

/**
 * Why not, or undefined where it is allowed: `unauthenticated` where a token is needed, or the one that is shown does not count
 * any more; `forbidden`. `token` is an authentic one.
 */
export function authorize(access: Access, nowMs: number, token: Token | undefined, wish: Wish): ArmatureError | undefined {
  if (token === undefined) return access.tokens === 'required' ? missingToken() : undefined;
  const stale = staleness(token, { nowMs, generation: access.generation });
  if (stale !== undefined) return stale;
  return allows(token, wish.bucket, wish.key, wish.right) ? undefined : forbidden(token, wish.right, wish.bucket);
}

/**
 * Why its holder may not do what takes this role, or undefined where he may: `unauthenticated` where the token does not count any
 * more; `forbidden`. `token` is an authentic one.
 */
export function authorizeRole(access: Access, nowMs: number, token: Token, role: Role): ArmatureError | undefined {
  const stale = staleness(token, { nowMs, generation: access.generation });
  if (stale !== undefined) return stale;
  return allowsRole(token, role) ? undefined : forbiddenRole(token, role);
}
