/** `--bucket` and `--partition`: which part of the data a command of replica synchronisation is about. */
import { ArmatureError, parseBucketName, unwrap, type BucketName, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { unknownBucket } from '@armature/protocol';
import { option } from '../command.js';
import { integerBetween } from '../parse.js';
import type { Session } from '../session.js';

export interface ShareOptions {
  readonly bucket?: string;
  readonly partition?: number;
}

export interface ChosenShares {
  readonly bucket: BucketName | undefined;
  readonly partition: PartitionId | undefined;
  /** Of the bucket. */
  readonly n: number | undefined;
}

export const shareOptions = [
  option('--bucket <bucket>', 'only the keys of this bucket'),
  option(
    '--partition <number>',
    'only this partition; "armature ring --key" tells that of a key',
    integerBetween('--partition', 0, 65_535),
  ),
];

/** Errors: `unknown-bucket`, `no-cluster`, `invalid-argument` for a partition that is not there. */
export function chosenShares(session: Session, view: View, options: ShareOptions): ChosenShares {
  const bucket = options.bucket === undefined ? undefined : unwrap(parseBucketName(options.bucket));
  const properties = bucket === undefined ? undefined : view.buckets.get(bucket);
  if (bucket !== undefined && properties === undefined) throw unknownBucket(bucket);
  const { ring } = view;
  if (ring === undefined) {
    throw new ArmatureError('no-cluster', `cluster ${session.settings.cluster} has not been created yet`, {
      remedy: 'armature cluster create --nodes <names>',
    });
  }
  const { partition } = options;
  if (partition !== undefined && partition >= ring.partitionCount) {
    throw new ArmatureError('invalid-argument', `there is no partition ${partition}: the ring has ${ring.partitionCount}`, {
      remedy: 'Partitions count from 0. "armature ring --key <key>" tells the partition of a key.',
    });
  }
  return { bucket, partition: partition as PartitionId | undefined, n: properties?.n };
}
