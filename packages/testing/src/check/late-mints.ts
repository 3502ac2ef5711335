/**
 * Whether writes are carried out in their time. A request that waits, in the socket of a process that stands still or in the
 * queue of one that has too much to do, may come to be carried out when its client has long given up, has written elsewhere, and
 * others have written over that. A version set remembers only so many of the operations that have ended (decision 0008), so what
 * is carried out that late may bring back what was overwritten or deleted.
 *
 *   late   some version of the write came to a disk for the first time long after its client had been answered or had given up
 */
import type { Durability } from '@armature/protocol';
import type { DotRegister } from './replica-contents.js';
import type { OperationLog } from './operation-log.js';

/** Far above a second too late, a slow link and a slow disk together; far below what brings back what nobody remembers. */
const LATEST_MS = 10_000;

/** Of buckets whose versions come to a disk as they are minted. */
export function checkLateMints(log: OperationLog, dots: Pick<DotRegister, 'mintedMs'>, durability: Durability): string[] {
  if (durability !== 'fsync' && durability !== 'os') return [];
  return [...log.operations].flatMap(({ id, key, endedMs }) => {
    const mintedMs = dots.mintedMs(id);
    if (endedMs === undefined || mintedMs === undefined || mintedMs <= endedMs + LATEST_MS) return [];
    return [`late: ${id} in ${key} was minted at ${seconds(mintedMs)}, and its client had gone on at ${seconds(endedMs)}`];
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
