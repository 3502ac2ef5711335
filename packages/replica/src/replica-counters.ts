/** What a replica counts. */
import type { Counter, Telemetry } from '@armature/runtime';

export interface ReplicaCounters {
  readonly merges: Counter;
  readonly unchangedMerges: Counter;
  readonly mints: Counter;
  readonly damaged: Counter;
}

export function replicaCounters(telemetry: Telemetry): ReplicaCounters {
  const merges = (changed: string): Counter =>
    telemetry.counter('armature_replica_merges_total', 'Version sets merged.', { changed });
  return {
    merges: merges('yes'),
    unchangedMerges: merges('no'),
    mints: telemetry.counter('armature_replica_mints_total', 'Versions minted.'),
    damaged: telemetry.counter(
      'armature_replica_damaged_records_total',
      'Records that failed their checksum or could not be read.',
    ),
  };
}
