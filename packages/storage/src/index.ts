/**
 * `@armature/storage`: the engine port, its in-memory twin, and the store with group commit that stands on any engine.
 * The conformance suite is a door of its own, `@armature/storage/conformance`, because it brings a test runner.
 */
export type { Durability } from './commit-queue.js';
export {
  keyAfter,
  type Engine,
  type RangePage,
  type RangeQuery,
  type StorageEntry,
  type StorageLoss,
  type StorageOperation,
  type WriteOptions,
} from './engine.js';
export { faultyEngine, type Fault } from './faulty-engine.js';
export { stampText, verifyStamp, type StorageIdentity } from './identity.js';
export { parseSpaceKey, spaceBounds, spaceKey, spacePrefixBounds, type Space } from './key-space.js';
export { MemoryDisk, memoryEngine } from './memory-engine.js';
export { pageAfterDamage } from './page-after-damage.js';
export { closedError } from './storage-error.js';
export { Store, type StoreHealth } from './store.js';
