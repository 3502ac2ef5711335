/**
 * `@armature/ring`: consistent hashing as an immutable value. Pure: no promises, no clock, no I/O.
 */
export {
  type Address,
  addressOf,
  bucketOfAddress,
  keyOfAddress,
  type ParsedAddress,
  MAX_ADDRESS_BYTES,
  parseAddress,
  type Position,
  POSITION_BYTES,
  positionOf,
  positionOfAddress,
  type PositionRange,
  rangeContains,
  RING_START,
  verifyAddress,
  WHOLE_RING,
} from './position.js';
export { isPartitionCount, MAX_PARTITIONS, partitionRange } from './equal-partitions.js';
export {
  checkRingSettings,
  DEFAULT_TOKENS_PER_NODE,
  isWeight,
  MAX_TOKENS_PER_NODE,
  MAX_WEIGHT,
  MIN_WEIGHT,
  type PreferenceList,
  type Ring,
  type RingMember,
  type RingSettings,
  type RingStrategy,
} from './ring.js';
export { MAX_TARGET_N } from './spacing.js';
export { emptyRing, formRing, ringJoin, ringLeave, ringReplace, ringReweigh, ringRezone } from './change.js';
export { type Gain, type RangeTransfer, transfersBetween } from './transfers.js';
export { type Balance, balanceOf, metadataBytes, OUT_OF_BALANCE } from './balance.js';
