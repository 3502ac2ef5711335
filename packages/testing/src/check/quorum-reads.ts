/**
 * Whether quorums meet: where R + W > N, a read sees every write that was acknowledged before (paper, section 4.5), for as long
 * as owners answer and not those who stand in for them.
 *
 * The claim. A put was acknowledged by owners of its key, and nobody stood in for one. A read begins a while after that, and R
 * owners answer it, whoever they are by then. Those owners of whom it is not certain that they have the put are fewer than R.
 * Then the read returns the put, or what supersedes it.
 *
 * This must survive changes of owners: who becomes one has copied from so many that the put was among what they held; who became
 * one while the put was under way was counted for it, so that enough of the next owners have it; those who are behind the ring
 * are refused; and a node whose disk was lost is not an owner until it has been filled again.
 *
 * Of a put in a partition that moved, the receipt does not say which owners were about to go. If all future owners could be
 * reached, W of the next owners have the put, or all but as many as it says. If one could not be, an owner about to go may have
 * stood in for it, and as many are taken off as there were such.
 *
 * It is claimed where the network is whole: nodes may come and go, die, stand still and lose what they held, one at a time, and
 * messages may be lost for a second, but whoever runs hears of every change of the ring within a second or two. In a network that
 * is cut for longer, one part may change owners while another reads from those that were: such a cluster answers all the same,
 * and does not promise this.
 */
import { tookPart, type Receipt } from '@armature/protocol';
import type { Fault, FaultKind } from '../faults/fault.js';
import type { LoadedBucket } from '../workload/workload.js';
import type { Operation, OperationLog } from './operation-log.js';
import { accountedBy } from './sessions.js';
import { SETTLED_MS } from './steady-reads.js';

/**
 * What leaves the network whole. An old copy put back is not among them: one that is not old enough to be noticed lacks what it
 * lacks (decision 0006).
 */
const WHOLE: ReadonlySet<FaultKind> = new Set<FaultKind>([
  ...(['join', 'leave', 'waver', 'weight', 'remove', 'replace'] as const),
  ...(['kill', 'power', 'stop', 'pause', 'suspend', 'wipe', 'fail-over', 'slow-link', 'bus-restart', 'clock'] as const),
]);
/** What does so if it is soon over. */
const CUTS: ReadonlySet<FaultKind> = new Set<FaultKind>(['partition', 'link-cut', 'one-way']);
const BRIEF_MS = 1_000;

/** Whether everybody still hears of every change of the ring within a second or two. */
export function leavesWhole({ kind, lastMs }: Pick<Fault, 'kind' | 'lastMs'>): boolean {
  return WHOLE.has(kind) || (CUTS.has(kind) && lastMs <= BRIEF_MS);
}

/**
 * Of buckets whose acknowledgements survive a crash. `mayBeLost`: the disks of all that had the put have been lost by then,
 * virtual ms.
 */
export function checkQuorumReads(
  log: OperationLog,
  { properties: { n, w, durability } }: LoadedBucket,
  mayBeLost: (put: Operation, untilMs: number) => boolean,
): string[] {
  if (durability !== 'fsync') return [];
  const puts = new Map<string, { put: Operation; endedMs: number; lacking: number }[]>();
  const deletes = new Map<string, Operation[]>();
  for (const operation of log.operations) {
    const { key, kind, endedMs, receipt } = operation;
    if (kind === 'delete') deletes.set(key, [...(deletes.get(key) ?? []), operation]);
    if (receipt === undefined || endedMs === undefined || !isOfOwners(receipt)) continue;
    puts.set(key, [...(puts.get(key) ?? []), { put: operation, endedMs, lacking: n - ownersWith(receipt, n, w) }]);
  }
  return log.reads.flatMap((read) => {
    const { key, beganMs, receipt } = read;
    if (!isOfOwners(receipt)) return [];
    const answered = receipt.replicas.filter(tookPart);
    const due = (puts.get(key) ?? []).filter(
      ({ endedMs, lacking }) => endedMs + SETTLED_MS < beganMs && lacking < answered.length,
    );
    if (due.length === 0) return [];
    const visible = accountedBy(log, read, deletes.get(key) ?? []);
    const whom = answered.map(({ node }) => node).join(' ');
    return due
      .filter(({ put }) => !visible.has(put.id) && !mayBeLost(put, read.endedMs))
      .map(({ put: { id } }) => `missed: ${id} in ${key}, by a read at ${(beganMs / 1000).toFixed(3)} s, answered by ${whom}`);
  });
}

/** Nobody who took part stood in for an owner. */
function isOfOwners({ replicas }: Receipt): boolean {
  return replicas.every((replica) => replica.role !== 'fallback' || !tookPart(replica));
}

/**
 * How many of N owners are certain to have the put: of the owners of its time, and of those that were to be the next. Places that
 * nobody had are had by future owners.
 */
function ownersWith({ replicas }: Receipt, n: number, w: number): number {
  const primaries = replicas.filter(({ role }) => role === 'primary');
  const pending = replicas.filter(({ role }) => role === 'pending');
  const took = primaries.filter(tookPart).length;
  if (pending.length === 0) return took;
  const filled = pending.filter(tookPart).length;
  const present = took + Math.min(filled, Math.max(0, n - primaries.length));
  const leaving = Math.max(0, primaries.length + pending.length - n);
  const isAnyOutOfReach = pending.some((replica) => !tookPart(replica) && replica.outcome !== 'waiting');
  return Math.min(present, Math.max(took + filled - leaving, isAnyOutOfReach ? 0 : w));
}
