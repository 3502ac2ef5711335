/** A cluster that requires tokens, and whose generation has been raised once: tokens from before are void. */
import { unwrap, type NodeId } from '@armature/kernel';
import { deriveTokenKeys, EVERY_BUCKET, RIGHTS, sealToken, type Grant, type Token } from '@armature/rights';
import type { SimulatedCluster } from './simulated-cluster.js';

/** Raised by the demand. */
export const GENERATION = 1;
/** Beyond what any clock is set to. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;
const POLL_MS = 10;

/** A token of this cluster, that grants everything where it is not said otherwise. */
export function tokenOf(cluster: SimulatedCluster, more: Partial<Token> = {}, name = cluster.names.cluster): Uint8Array {
  const all: readonly Grant[] = [{ bucket: EVERY_BUCKET, prefix: new Uint8Array(0), rights: RIGHTS }];
  const token: Token = {
    subject: 'simulated',
    grants: all,
    role: undefined,
    expiresAtMs: NEVER_MS,
    generation: GENERATION,
    ...more,
  };
  return unwrap(sealToken(token, deriveTokenKeys(cluster.secrets, name)));
}

/**
 * Gives the command, and resolves when all nodes and routers know of it. Applications that are connected by then show a token.
 */
export async function demandTokens(cluster: SimulatedCluster): Promise<void> {
  const { world, running, routers } = cluster;
  const at = running[0]?.options.node as NodeId;
  await cluster.propose(at, { kind: 'access', tokens: 'required', revision: 1, generation: GENERATION });
  cluster.token = tokenOf(cluster);
  const isKnown = (): boolean =>
    [...running, ...routers.values()].every(({ participant }) => participant.membership.view.access.tokens === 'required');
  while (!isKnown()) await world.sleep(POLL_MS);
}
