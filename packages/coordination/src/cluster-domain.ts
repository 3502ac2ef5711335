/** The trust domain of a cluster: everybody who holds its secret (docs/decisions/0002). What its members prove to each other, they prove with keys derived here. */
import { hkdfSync } from 'node:crypto';
import { ArmatureError, type ClusterName, type Secrets } from '@armature/kernel';

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

/** Change records that come from outside of the domain: whoever states what a cluster is must hold its secret. */
export function recordsOfGuest(): ArmatureError {
  return new ArmatureError(
    'wrong-cluster',
    'membership records are taken only from processes that hold the secret of the cluster',
    {
      remedy: 'Give the process that sent them the secret of the cluster: --secret-file or ARMATURE_SECRET.',
    },
  );
}
