/**
 * `@armature/storage`: the engine port, its in-memory twin, and the store with group commit that stands on any engine.
 * The conformance suite is a door of its own, `@armature/storage/conformance`, because it brings a test runner.
 */
export type { CommitFailure, Durability } from './commit-queue.js';
export * from './engine.js';
export type { TakeFlushSlice } from './flusher.js';
export * from './faulty-engine.js';
export * from './identity.js';
export * from './key-space.js';
export { MemoryDisk, memoryEngine } from './memory-engine.js';
export { pageAfterDamage } from './page-after-damage.js';
export { closedError } from './storage-error.js';
export * from './store.js';
