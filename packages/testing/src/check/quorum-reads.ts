/**
 * Whether quorums meet: where R + W > N, a read sees every write that was acknowledged before (paper, section 4.5), for as long as owners answer and not those who stand
 * in for them.
 *
 * The claim. A put was acknowledged by W owners of its key, nobody stood in for an owner, and nobody was about to become one. A read begins a while after that, and R
 * owners answer it, whoever they are by then. R + W > N. Then it returns the put, or what supersedes it.
 *
 * This must survive changes of owners: who becomes one has copied from so many that the put was among what they held, and counts for nothing before; those who are behind
 * the ring are refused; and a node whose disk was lost is not an owner until it has been filled again. (To one who was pending then, the put may have failed to get
 * through, and he may have copied before it.)
 *
 * It is claimed where the network is whole: nodes may come and go, die, stand still and lose what they held, one at a time, but whoever runs hears of every change
 * of the ring within a second or two. In a network that is cut, one part may change owners while another reads from those that were: such a cluster answers all the
 * same, and does not promise this.
 */
import { tookPart, type Receipt } from '@armature/protocol';
import type { FaultKind } from '../faults/fault.js';
import type { LoadedBucket } from '../workload/workload.js';
import type { Operation, OperationLog } from './operation-log.js';
import { accountedBy } from './sessions.js';
import { SETTLED_MS } from './steady-reads.js';

/** What leaves the network whole. An old copy put back is not among them: one that is not old enough to be noticed lacks what it lacks (decision 0006). */
export const WHOLE: ReadonlySet<FaultKind> = new Set<FaultKind>([
  ...(['join', 'leave', 'waver', 'weight', 'remove', 'replace'] as const),
  ...(['kill', 'power', 'stop', 'pause', 'wipe', 'fail-over', 'slow-link'] as const),
]);

/** Of buckets whose acknowledgements survive a crash. */
export function checkQuorumReads(log: OperationLog, { properties: { n, durability } }: LoadedBucket): string[] {
  if (durability !== 'fsync') return [];
  const puts = new Map<string, { id: string; endedMs: number; owners: number }[]>();
  const deletes = new Map<string, Operation[]>();
  for (const operation of log.operations) {
    const { id, key, kind, endedMs, receipt } = operation;
    if (kind === 'delete') deletes.set(key, [...(deletes.get(key) ?? []), operation]);
    if (receipt === undefined || endedMs === undefined || !isOfOwners(receipt)) continue;
    puts.set(key, [...(puts.get(key) ?? []), { id, endedMs, owners: receipt.replicas.filter(tookPart).length }]);
  }
  return log.reads.flatMap((read) => {
    const { key, beganMs, receipt } = read;
    if (!isOfOwners(receipt)) return [];
    const answered = receipt.replicas.filter(tookPart);
    const due = (puts.get(key) ?? []).filter(
      ({ endedMs, owners }) => endedMs + SETTLED_MS < beganMs && owners + answered.length > n,
    );
    if (due.length === 0) return [];
    const visible = accountedBy(log, read, deletes.get(key) ?? []);
    const whom = answered.map(({ node }) => node).join(' ');
    return due
      .filter(({ id }) => !visible.has(id))
      .map(({ id }) => `missed: ${id} in ${key}, by a read at ${(beganMs / 1000).toFixed(3)} s, answered by ${whom}`);
  });
}

/** Nobody who took part is another than an owner, and nobody was to become one. */
function isOfOwners({ replicas }: Receipt): boolean {
  return replicas.every((replica) => replica.role === 'primary' || (replica.role === 'fallback' && !tookPart(replica)));
}
