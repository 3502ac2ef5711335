/** Contexts sealed with the cluster's secret: for whoever is inside the trust domain (docs/decisions/0002). */
import { ArmatureError, type ClusterName, type Result } from '@armature/kernel';
import type { Address } from '@armature/ring';
import { deriveContextKey, openContext, sealContext, type ContextContents } from '@armature/versioning';

/** Seals what a reader has seen into the opaque context, and opens it again. */
export interface Sealer {
  seal(contents: ContextContents, address: Address): Uint8Array;
  /** Error `invalid-context`. */
  open(context: Uint8Array, address: Address): Result<ContextContents, ArmatureError>;
}

/** 128 bits of entropy, as hex or otherwise. */
const MIN_SECRET_BYTES = 16;

/** Error `invalid-config` for a secret that could be guessed. */
export function createSealer(secret: Uint8Array, cluster: ClusterName): Sealer {
  if (secret.length < MIN_SECRET_BYTES) {
    throw new ArmatureError('invalid-config', `the cluster secret has ${secret.length} bytes, fewer than ${MIN_SECRET_BYTES}`, {
      remedy: 'Make one with: openssl rand -hex 32, and give the same to every node, router and direct client.',
    });
  }
  const key = deriveContextKey(secret, cluster);
  return {
    seal: (contents, address) => sealContext(contents, key, { cluster, address }),
    open: (context, address) => openContext(context, key, { cluster, address }),
  };
}
