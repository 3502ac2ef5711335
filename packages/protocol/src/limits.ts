/** How large a cluster may be described. Beyond these a record is refused by every process alike. */
import { hlcFromMs } from '@armature/kernel';

/** Largest Q: 2^16 partitions serve a few hundred nodes at 100+ partitions each; more only costs metadata. */
export const MAX_PARTITIONS = 65_536;
export const MAX_MEMBERS = 1_024;

/** Weights are ratios: four orders of magnitude lie between the smallest machine and the largest. */
export const MIN_WEIGHT = 0.01;
export const MAX_WEIGHT = 100;

/**
 * The latest time a record may carry: the year 2200. Later records are stamped after all earlier ones, so one near the end of the
 * clock's range would leave no room for another; a fixed bound, and not one relative to some clock, so that all processes agree.
 */
export const MAX_RECORD_AT = hlcFromMs(Date.UTC(2200, 0, 1));
