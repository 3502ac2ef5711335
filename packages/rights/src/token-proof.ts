/**
 * A token with a role is never shown: its holder proves that he has it.
 *
 * A token ends with a MAC that only holders of the cluster's secret can make. Whoever showed the whole token on an open bus would
 * hand his power to everybody who reads there. So at the door of administration its holder shows the *claims*, which stand before
 * the MAC, and seals his frames with a key that is derived from the MAC. The door makes the MAC itself, from the claims and the
 * secret, and so the same key. Who has read the claims knows what the token says, and cannot use it; and answers can be sealed
 * with that key only by who holds the token or the secret.
 */
import { hkdfSync } from 'node:crypto';
import { err, ok, type ArmatureError, type ClusterName, type Result } from '@armature/kernel';
import type { Token } from './token.js';
import { TOKEN_MAC_BYTES, peekToken, readClaims, type TokenKeys } from './token-seal.js';
import { tokenOfOtherCluster } from './token-errors.js';

/** What the holder of a token proves it with. */
export interface TokenProof {
  /** What he shows: the token without its MAC. */
  readonly claims: Uint8Array;
  /** What he seals with, 32 bytes. */
  readonly key: Uint8Array;
}

/** What somebody says that he holds. True if his frame is sealed with one of the keys. */
export interface TokenClaim {
  readonly token: Token;
  /** One for each secret of the cluster, in their order. */
  readonly keys: readonly Uint8Array[];
}

const KEY_BYTES = 32;
const KEY_PURPOSE = 'armature administration 1';

/** For the holder of a whole token. Errors: `unauthenticated` for what is none, or is for another cluster. */
export function proofOf(token: Uint8Array, cluster: ClusterName): Result<TokenProof, ArmatureError> {
  const seen = peekToken(token);
  if (!seen.ok) return seen;
  if (seen.value.cluster !== cluster) return err(tokenOfOtherCluster(seen.value.cluster, cluster));
  const claims = token.subarray(0, -TOKEN_MAC_BYTES);
  return ok({ claims, key: proofKey(token.subarray(-TOKEN_MAC_BYTES), cluster) });
}

/** For the door, of claims that are believed by nobody yet. Error: `unauthenticated` for what are none. */
export function claimOf(claims: Uint8Array, keys: TokenKeys): Result<TokenClaim, ArmatureError> {
  const token = readClaims(claims);
  if (!token.ok) return token;
  return ok({ token: token.value, keys: keys.macs.map((mac) => proofKey(mac(claims), keys.cluster)) });
}

function proofKey(mac: Uint8Array, cluster: ClusterName): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', mac, '', `${KEY_PURPOSE}\0${cluster}`, KEY_BYTES));
}
