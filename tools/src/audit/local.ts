/** A local cluster, as an auditor sees it: for the audit's own tests, and for scenarios that need no processes. */
import type { LocalCluster } from '@armature/server';
import type { Auditable } from './inventory.js';

export function auditableLocal(local: LocalCluster): Auditable {
  return {
    cluster: local.options.cluster,
    secrets: local.options.secrets,
    connectBus: () => Promise.resolve(local.broker.connect()),
    hintBytes: () => Promise.resolve(local.nodes.reduce((sum, node) => sum + node.hintBytes, 0)),
  };
}
