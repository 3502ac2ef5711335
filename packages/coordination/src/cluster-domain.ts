/**
 * The trust domain of a cluster: everybody who holds its secret (docs/decisions/0002). What its members prove to each other, they
 * prove with keys derived here.
 */
import { hkdfSync } from 'node:crypto';
import type { ClusterName, Secrets } from '@armature/kernel';

const KEY_BYTES = 32;

/** Of the frames on links, for `LinkOptions.keys`: the first seals, all verify. */
export function linkKeys(secrets: Secrets, cluster: ClusterName): readonly Uint8Array[] {
  return secrets.map((secret) => derivedKey(secret, cluster, 'armature link 1'));
}

/** Of what processes say of their names. */
export function presenceKeys(secrets: Secrets, cluster: ClusterName): readonly Uint8Array[] {
  return secrets.map((secret) => derivedKey(secret, cluster, 'armature presence 1'));
}

/** HKDF-SHA-256 (RFC 5869). Each purpose has a key of its own: who knows one knows nothing about another. */
function derivedKey(secret: Uint8Array, cluster: ClusterName, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `${purpose}\0${cluster}`, KEY_BYTES));
}
