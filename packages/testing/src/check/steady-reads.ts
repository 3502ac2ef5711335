/**
 * Whether a change of membership can be seen by those who read. In a run in which nothing fails, and nodes only join, leave and
 * change their weight, a put is on all owners soon after it was acknowledged; those who become owners have copied it before they
 * count, and those who are to become owners are given it. So a read that begins later returns it, or what supersedes it, whoever
 * answers.
 */
import type { FaultKind } from '../faults/fault.js';
import type { Operation, OperationLog } from './operation-log.js';
import { accountedBy } from './sessions.js';

/** What does not keep anybody from answering, and costs nobody any data. */
export const STEADY: ReadonlySet<FaultKind> = new Set(['join', 'leave', 'waver', 'weight']);

/** Longer than any request is under way: by then all replicas have answered, or were asked again under another ring. */
export const SETTLED_MS = 5_000;

export function checkSteadyReads(log: OperationLog): string[] {
  const deletes = [...log.operations].filter(({ kind }) => kind === 'delete');
  const puts = new Map<string, Operation[]>();
  for (const operation of log.operations) {
    if (operation.kind !== 'put' || operation.outcome !== 'acknowledged') continue;
    const of = puts.get(operation.key);
    if (of === undefined) puts.set(operation.key, [operation]);
    else of.push(operation);
  }
  return log.reads.flatMap((read) => {
    const visible = accountedBy(
      log,
      read,
      deletes.filter(({ key }) => key === read.key),
    );
    return (puts.get(read.key) ?? [])
      .filter(({ id, endedMs = Infinity }) => endedMs + SETTLED_MS < read.beganMs && !visible.has(id))
      .map(({ id, key }) => `unseen: ${id} in ${key}, by a read at ${(read.beganMs / 1000).toFixed(3)} s, with all nodes up`);
  });
}
