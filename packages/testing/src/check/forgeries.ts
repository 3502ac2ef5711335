/**
 * Whether contexts can be forged. A write with a context that was not issued for its key is refused as that, by whoever opens the
 * context first, and has no effect. It may fail otherwise where nobody can be reached; done it is never.
 */
import type { DiskWitness } from './disk-witness.js';
import type { OperationLog } from './operation-log.js';

export function checkForgeries(log: OperationLog, witness: Pick<DiskWitness, 'of'>): string[] {
  const found: string[] = [];
  for (const { id, key, kind, forged, outcome, failure, partial } of log.operations) {
    if (forged === undefined) continue;
    const what = `a ${kind} of ${key} with a ${forged} context (${id})`;
    const holders = [...(witness.of(id)?.nodes ?? partial ?? [])];
    if (outcome === 'acknowledged') found.push(`forged: ${what} was acknowledged`);
    else if (holders.length > 0) found.push(`forged: ${what} is at ${holders.join(' ')}`);
    else if (outcome === 'refused' && failure !== 'invalid-context')
      found.push(`forged: ${what} was refused for another reason (${failure ?? 'none'})`);
  }
  return found;
}
