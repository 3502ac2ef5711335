/** What a workload's account and the membership's history say that must not be, for the verdict of a run. Pure. */
import type { ChangeRecord } from '@armature/protocol';
import type { Account } from '../audit/ledger.js';

/** One entry for each, in words; none when every write is accounted for. */
export function breachesOf({ lost, returned, surfaced, counts }: Account): string[] {
  return [
    ...lost.map(({ id, key }) => `lost: the acknowledged write ${id} of ${key}`),
    ...returned.map(({ key }) => `returned: what was deleted of ${key}`),
    ...surfaced.map((what) => `refused, and there: ${what}`),
    ...(counts.acknowledged === 0 ? ['no write was acknowledged: a run that wrote nothing shows nothing'] : []),
  ];
}

/**
 * One entry for each store that a node has stated as lost. No fault of chaos destroys a disk, so whoever states it has been taken
 * in by a second process of its name.
 */
export function lossesOf(history: readonly ChangeRecord[]): string[] {
  return history.flatMap(({ change }) => (change.kind === 'lost' ? [`${change.node} stated that its store was lost`] : []));
}
