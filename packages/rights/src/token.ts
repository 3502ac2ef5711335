/**
 * Tokens: what an application, or a person, shows to be let in. A token says who its holder is, what it grants, until when, and
 * of which *generation* it is: a cluster that has raised its generation takes none of an earlier one, which is how tokens are
 * revoked.
 *
 * A token is a capability. Whoever holds it may do what it says, and any router can tell so by itself, from the cluster's secret
 * and the membership history.
 */
import { ArmatureError, err, isPlainName, ok, type BucketName, type Result } from '@armature/kernel';
import { checkedGrant, grantAllows, type Grant, type Right } from './grant.js';

/** From the least to the most. Each includes those before it. */
export const ROLES = ['viewer', 'operator', 'administrator'] as const;

/**
 * `viewer` looks (status, history, plans). `operator` also has work done that changes no membership (repair, reaping, pausing
 * workers). `administrator` may do everything.
 */
export type Role = (typeof ROLES)[number];

export interface Token {
  /** Who holds it, in words: 1 to 128 printable characters. It stands beside what the holder has done, and decides nothing. */
  readonly subject: string;
  /** For the doors of keys; none where there is a role. */
  readonly grants: readonly Grant[];
  /**
   * For the door of administration. A token has a role or grants, never both: one with grants is shown as it is, one with a role
   * never is (`token-proof.ts`).
   */
  readonly role: Role | undefined;
  /** Wall clock, ms. From then on it is refused. */
  readonly expiresAtMs: number;
  readonly generation: number;
}

export const MAX_SUBJECT_CHARS = 128;
export const MAX_GRANTS = 16;
/** Of a token as bytes. It travels in a header of every plain request. */
export const MAX_TOKEN_BYTES = 4_096;
/** A generation is raised by hand, by one each time. */
export const MAX_GENERATION = 2 ** 31;

/** Whether the token allows this. `key` is undefined for a listing, which concerns no single key. */
export function allows(token: Token, bucket: BucketName, key: Uint8Array | undefined, right: Right): boolean {
  return token.grants.some((grant) => grantAllows(grant, bucket, key, right));
}

/** Whether the token's role is this one, or includes it. */
export function allowsRole(token: Token, role: Role): boolean {
  return token.role !== undefined && ROLES.indexOf(token.role) >= ROLES.indexOf(role);
}

/** The token in its one form. Error: `invalid-argument`. */
export function checkedToken(token: Token): Result<Token, ArmatureError> {
  const { subject, role, expiresAtMs, generation } = token;
  if (!isPlainName(subject, MAX_SUBJECT_CHARS)) return invalid('the subject', `1 to ${MAX_SUBJECT_CHARS} printable characters`);
  if (token.grants.length > MAX_GRANTS) return invalid('the list of grants', `at most ${MAX_GRANTS}`);
  if ((token.grants.length === 0) === (role === undefined)) {
    return invalid('what it is for', 'at least one grant, or else a role: keys and administration take two tokens');
  }
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0) return invalid('its end', 'a time in ms');
  if (!Number.isSafeInteger(generation) || generation < 0 || generation > MAX_GENERATION) {
    return invalid('the generation', `a whole number from 0 to ${MAX_GENERATION}`);
  }
  const grants: Grant[] = [];
  for (const one of token.grants) {
    const grant = checkedGrant(one);
    if (!grant.ok) return grant;
    grants.push(grant.value);
  }
  return ok({ subject, grants, role, expiresAtMs, generation });
}

function invalid(what: string, rule: string): Result<never, ArmatureError> {
  return err(new ArmatureError('invalid-argument', `${what} of a token must be: ${rule}`, { remedy: `Give ${rule}.` }));
}
