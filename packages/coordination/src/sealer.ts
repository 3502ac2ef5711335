/** Contexts sealed with the cluster's secret: for whoever is inside the trust domain (docs/decisions/0002). */
import { unwrap, checkedSecrets, type ArmatureError, type ClusterName, type Result, type Secrets } from '@armature/kernel';
import type { Address } from '@armature/ring';
import { deriveContextKey, openContext, sealContext, type ContextContents } from '@armature/versioning';

/** Seals what a reader has seen into the opaque context, and opens it again. */
export interface Sealer {
  seal(contents: ContextContents, address: Address): Uint8Array;
  /** Error `invalid-context`. */
  open(context: Uint8Array, address: Address): Result<ContextContents, ArmatureError>;
}

/** The first secret seals; what either has sealed is opened. Error `invalid-config` for a secret that could be guessed. */
export function createSealer(secrets: Secrets, cluster: ClusterName): Sealer {
  const [first, ...others] = unwrap(checkedSecrets(secrets));
  const key = deriveContextKey(first, cluster);
  const otherKeys = others.map((secret) => deriveContextKey(secret, cluster));
  return {
    seal: (contents, address) => sealContext(contents, key, { cluster, address }),
    open(context, address) {
      const opened = openContext(context, key, { cluster, address });
      if (opened.ok) return opened;
      for (const other of otherKeys) {
        const byOther = openContext(context, other, { cluster, address });
        if (byOther.ok) return byOther;
      }
      return opened;
    },
  };
}
