/** What a workload's account says that must not be, for the verdict of a run. Pure. */
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
