/**
 * Read your writes, and read them monotonically (Terry and others, 1994), as far as quorums and contexts give it.
 *
 * The claim. A put was acknowledged, and its receipt names replica X as a primary that took part. A read of the key begins after
 * that, and its receipt names X as a primary that answered. X has not lost its copy in between (see `Custody`). Then
 *
 *   lost      the read returns the put, or a value that supersedes it, or else some delete that supersedes it began before the
 *             read ended
 *   stale     it returns no value that the put supersedes, in particular none of those that its writer had read: what was read
 *             does not come back after a write with the context of that read
 *
 * What X says is enough: its answer holds the put or the event that superseded it, and whatever the others add is joined with
 * that. Where R + W > N, and no fallback took part, and the owners did not change, there is such an X for every pair of a put and
 * a later read: N nodes have no room for W and R of them that do not meet. Fallbacks are out of it (they need not meet), and so
 * are puts that failed: those may be seen once and not again until they are repaired. The claim holds across changes of owners
 * too: who becomes an owner again has copied what the owners of meanwhile hold, before it counts.
 *
 * Of a last-write-wins bucket this says nothing; there a concurrent write may have taken the place (see `last-writes.ts`).
 */
import type { NodeId } from '@armature/kernel';
import { tookPart, type Receipt } from '@armature/protocol';
import type { LoadedBucket } from '../workload/workload.js';
import type { Custody } from './custody.js';
import type { Operation, OperationLog, ReadRecord } from './operation-log.js';

export interface SessionCheck {
  readonly violations: readonly string[];
  /** Pairs of a put and a later read that met in a primary: the claims that were checked. */
  readonly pairs: number;
}

/**
 * `repeated`: operations that were minted more than once. One may show until whoever knows that it is over meets whoever has the
 * other version of it.
 */
export function checkSessions(
  log: OperationLog,
  bucket: LoadedBucket,
  custody: Custody,
  repeated: ReadonlySet<string> = new Set(),
): SessionCheck {
  const puts = new Map<string, AcknowledgedPut[]>();
  const deletes = new Map<string, Operation[]>();
  for (const operation of log.operations) {
    if (operation.kind === 'delete') listIn(deletes, operation.key).push(operation);
    else if (operation.receipt !== undefined && operation.endedMs !== undefined)
      listIn(puts, operation.key).push(acknowledged(operation, operation.endedMs, operation.receipt, bucket, custody));
  }
  const violations: string[] = [];
  let pairs = 0;
  for (const read of log.reads) {
    const answered = primariesOf(read.receipt);
    const where = (): string => `${read.client} at ${seconds(read.beganMs)}, answered by ${answered.join(' ')}`;
    let visible: ReadonlySet<string> | undefined;
    for (const { put, endedMs, safeAt, atRiskAt } of puts.get(read.key) ?? []) {
      if (endedMs > read.beganMs) continue;
      const meeting =
        answered.find((node) => safeAt.includes(node)) ??
        answered.find((node) => atRiskAt.includes(node) && !custody.mayLack(node, put, bucket, read.endedMs));
      if (meeting === undefined) continue;
      pairs++;
      visible ??= accountedBy(log, read, deletes.get(read.key) ?? []);
      if (!visible.has(put.id))
        violations.push(`not read: ${put.id} in ${put.key}, which ${meeting} had acknowledged, by ${where()}`);
      if (read.values.length === 0) continue;
      const superseded = log.ancestorsOf(put.id, 'sure');
      for (const value of read.values) {
        if (superseded.has(value) && !repeated.has(value))
          violations.push(
            `read again: ${value} in ${put.key}, though ${meeting} had ${put.id}, which superseded it, by ${where()}`,
          );
      }
    }
  }
  return { violations, pairs };
}

/**
 * A put and the primaries that acknowledged it: there are far more pairs of a put and a read than puts, so what is the same for
 * all reads is asked once.
 */
interface AcknowledgedPut {
  readonly put: Operation;
  readonly endedMs: number;
  /** Those that had it to the end of the run; */
  readonly safeAt: readonly NodeId[];
  /** and those that may have lost it at some time. */
  readonly atRiskAt: readonly NodeId[];
}

function acknowledged(
  put: Operation,
  endedMs: number,
  receipt: Receipt,
  bucket: LoadedBucket,
  custody: Custody,
): AcknowledgedPut {
  const primaries = primariesOf(receipt);
  const isAtRisk = (node: NodeId): boolean => custody.mayLack(node, put, bucket, Infinity);
  return {
    put,
    endedMs,
    safeAt: primaries.filter((node) => !isAtRisk(node)),
    atRiskAt: primaries.filter(isAtRisk),
  };
}

function listIn<T>(lists: Map<string, T[]>, key: string): T[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: T[] = [];
  lists.set(key, list);
  return list;
}

/**
 * All puts that the read returned, or that are not to be seen any more because of those, or of a delete that may have been seen.
 */
export function accountedBy(log: OperationLog, read: ReadRecord, deletes: readonly Operation[]): ReadonlySet<string> {
  const accounted = new Set(read.values);
  const passed = deletes.filter(({ beganMs, outcome }) => beganMs <= read.endedMs && outcome !== 'refused').map(({ id }) => id);
  for (const id of [...read.values, ...passed]) for (const ancestor of log.ancestorsOf(id)) accounted.add(ancestor);
  return accounted;
}

function primariesOf({ replicas }: Receipt): NodeId[] {
  return replicas.filter((replica) => replica.role === 'primary' && tookPart(replica)).map(({ node }) => node);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
