/**
 * Whether a receipt is true. It says which replicas have an acknowledged put, in which role, and whether on stable storage; and
 * the bucket says how many of them there must be.
 *
 *   short     fewer replicas than W took part, or fewer primaries than PW. Future owners are not counted, unless there were fewer
 *             owners than W: then all of them, or those who stood in for them, must have taken part, and future owners make up
 *             the rest
 *   claimed   a replica that is said to have taken part never wrote the put to its disk; but for puts that some later one
 *             supersedes, which may have come first
 *   unsynced  a replica is said to have it on stable storage, and had not synced it when the client was told so
 */
import { tookPart, type BucketProperties, type Receipt } from '@armature/protocol';
import type { DiskWitness } from './disk-witness.js';
import type { OperationLog } from './operation-log.js';

export function checkReceipts(
  log: OperationLog,
  { w, pw, durability }: Pick<BucketProperties, 'w' | 'pw' | 'durability'>,
  witness: Pick<DiskWitness, 'of' | 'syncedMs'>,
): string[] {
  const isWritten = durability === 'fsync' || durability === 'os';
  const found: string[] = [];
  const superseded = new Set<string>();
  for (const { seen } of log.operations) for (const id of seen) superseded.add(id);
  for (const { id, key, outcome, receipt, endedMs = 0 } of log.operations) {
    if (outcome !== 'acknowledged' || receipt === undefined) continue;
    const tookIt = receipt.replicas.filter(tookPart);
    const primaries = tookIt.filter(({ role }) => role === 'primary').length;
    const owners = receipt.replicas.filter(({ role }) => role === 'primary').length;
    const ofOwners = tookIt.filter(({ role }) => role !== 'pending').length;
    const counted = ofOwners >= Math.min(w, owners) && owners < w ? tookIt.length : ofOwners;
    if (counted < w)
      found.push(`short: ${id} in ${key} was acknowledged by ${counted} replicas, W is ${w} (${described(receipt)})`);
    if (primaries < pw)
      found.push(`short: ${id} in ${key} was acknowledged by ${primaries} primaries, PW is ${pw} (${described(receipt)})`);
    if (!isWritten || superseded.has(id)) continue;
    for (const { node, outcome: said } of tookIt) {
      if (witness.of(id)?.nodes.has(node) !== true)
        found.push(`claimed: ${id} in ${key} was acknowledged by ${node}, whose disk never saw it`);
      else if (said === 'durable' && !(witness.syncedMs(node, id) <= endedMs))
        found.push(`unsynced: ${id} in ${key} was not yet on stable storage at ${node} when it was acknowledged as that`);
    }
  }
  return found;
}

function described({ coordinator, replicas }: Receipt): string {
  return [`minted by ${coordinator}`, ...replicas.map(({ node, role, outcome }) => `${node}: ${role} ${outcome}`)].join(', ');
}
