/**
 * `@armature/ring`: consistent hashing as an immutable value. Pure: no promises, no clock, no I/O.
 */
export { balanceOf, metadataBytes, OUT_OF_BALANCE } from './balance.js';
export { emptyRing, formRing, ringJoin, ringLeave, ringReplace, ringReweigh, ringRezone } from './change.js';
export {
  addressOf,
  bucketOfAddress,
  keyOfAddress,
  MAX_ADDRESS_BYTES,
  parseAddress,
  POSITION_BYTES,
  positionOf,
  RING_START,
  verifyAddress,
  type Address,
} from './position.js';
export type { PreferenceList, Ring, RingMember, RingSettings, RingStrategy } from './ring.js';
export { transfersBetween } from './transfers.js';
