/**
 * Whether what clients were told of a write is what became of it: refused means that it has not happened, anywhere, partial that
 * at least one replica had it, and acknowledged all the more.
 *
 * For buckets whose replicas answer from memory it is not asked who had it: what the next write covers before it is flushed never
 * comes to a disk.
 */
import type { NodeId } from '@armature/kernel';
import type { Durability } from '@armature/protocol';
import type { DiskWitness } from './disk-witness.js';
import type { OperationLog } from './operation-log.js';

/** Longer than a second process lives that is not refused at once (`faults/namesakes.ts`). */
const NAMESAKE_MS = 10_000;

/**
 * A request reaches both of two processes of one name, until they have found each other out, and one may refuse what the other
 * carries out. So a write that is on the disk of such a node is of unknown outcome, whatever its writer was told.
 */
export function doubtRefusals(log: OperationLog, witness: Pick<DiskWitness, 'of' | 'isNamesakeAtWork'>): void {
  for (const operation of log.operations) {
    const { id, outcome, beganMs, endedMs = Infinity } = operation;
    const isDoubled = (node: NodeId): boolean => witness.isNamesakeAtWork(node, beganMs - NAMESAKE_MS, endedMs);
    if (outcome === 'refused' && [...(witness.of(id)?.nodes ?? [])].some(isDoubled)) operation.outcome = 'unknown';
  }
}

export function checkOutcomes(log: OperationLog, witness: Pick<DiskWitness, 'of'>, durability: Durability): string[] {
  const isWritten = durability === 'fsync' || durability === 'os';
  const found: string[] = [];
  for (const { id, key, outcome, partial } of log.operations) {
    const seen = witness.of(id);
    if (outcome === 'refused' && seen !== undefined)
      found.push(`happened: ${id} in ${key} was refused, and ${[...seen.nodes].join(' ')} wrote it`);
    if (outcome === 'acknowledged' && isWritten && seen === undefined)
      found.push(`nowhere: ${id} in ${key} was acknowledged, and no disk ever saw it`);
    if (partial?.length === 0) found.push(`nowhere: ${id} in ${key} was called partial, and no replica was named that has it`);
    if (partial !== undefined && partial.length > 0 && isWritten && seen === undefined)
      found.push(`nowhere: ${id} in ${key} was said to be at ${partial.join(' ')}, and no disk ever saw it`);
  }
  return found;
}
