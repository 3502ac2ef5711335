/** The trust domain of a cluster: everybody who holds its secret (docs/decisions/0002). */
import { createHmac } from 'node:crypto';
import { ArmatureError, type ClusterName, type Secrets } from '@armature/kernel';
import { NO_MARK, type TrustDomain } from '@armature/bus';

/** Of a key that nothing else is derived with: who knows the mark knows nothing about contexts. */
const PURPOSE = 'armature mark 1';
/** Nodes and routers always hold the secret. Clients do if they coordinate for themselves. */
const INSIDE = /^(node|router)\./;

export function clusterDomain(secrets: Secrets, cluster: ClusterName): TrustDomain {
  const markOf = (secret: Uint8Array): number => {
    const mac = createHmac('sha256', secret).update(`${PURPOSE}\0${cluster}`).digest();
    return mac.readUInt32LE(0) || NO_MARK + 1;
  };
  const marks = secrets.map(markOf);
  return { mark: markOf(secrets[0]), knows: (mark) => marks.includes(mark), requires: (address) => INSIDE.test(address) };
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
