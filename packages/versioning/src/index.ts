/**
 * `@armature/versioning`: which version of a key came from which. Pure: no promises, no clock, no I/O.
 */
export { compareDots, mintActorId, parseActorId, type ActorId, type Dot } from './actor.js';
export { decodeVersionSet, encodeVersionSet } from './codec.js';
export {
  contextFromText,
  contextToText,
  deriveContextKey,
  openContext,
  sealContext,
  type ContextContents,
  type ContextKey,
} from './context.js';
export { joinEncoded } from './join-encoded.js';
export { encodedOutlineOf, outlinedBytes, outlineOf } from './outline.js';
export { DEFAULT_PRUNE_ABOVE, isReapable, pruneClock } from './prune.js';
export { nextTimestamp, receiveTimestamps, resolve, type Resolver } from './resolvers.js';
export { retained } from './retained.js';
export { isSuperseded, MAX_SUPERSEDED, supersededOperations } from './superseded.js';
export {
  compareVectorClocks,
  EMPTY_VECTOR_CLOCK,
  incrementVectorClock,
  mergeVectorClocks,
  PAPER_TRUNCATION_THRESHOLD,
  reconcileVectorClocks,
  truncateVectorClock,
  type ClockedVersion,
  type VectorClock,
  type VectorClockEntry,
} from './vector-clock.js';
export {
  checkGrowth,
  contextAfter,
  contextOf,
  distinctSiblings,
  EMPTY_CONTEXT,
  emptyVersionSet,
  isAmnesiac,
  isDeleted,
  join,
  knowsOperation,
  latestTimestamp,
  liveSiblings,
  MAX_CONTEXT_ENTRIES,
  mint,
  reconcile,
  versionSet,
  type CausalContext,
  type VersionSet,
} from './version-set.js';
export {
  compareVersionVectors,
  counterOf,
  covers,
  descends,
  EMPTY_VECTOR,
  mergeVersionVectors,
  versionVector,
  withDot,
  type VersionVector,
} from './version-vector.js';
export {
  checkMeta,
  MAX_META_BYTES,
  mintOperationId,
  parseOperationId,
  tombstoneVersion,
  valueVersion,
  type OperationId,
  type Version,
} from './version.js';
