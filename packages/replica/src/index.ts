/**
 * `@armature/replica`: what one node does with one key. It knows its store and its actor, and nothing of rings, peers or quorums.
 */
export * from './actor-epoch.js';
export * from './admission-controller.js';
export * from './background-slices.js';
export * from './foreground-watch.js';
export * from './hint-delivery.js';
export * from './hint-store.js';
export * from './key-locks.js';
export type { ReapableList, RecordOperation, RecordStore } from './record-store.js';
export * from './reapable-records.js';
export * from './record.js';
export type { MintRequest, MintResult, StillValid } from './mint-request.js';
export * from './pull-page.js';
export * from './replica.js';
export type * from './replica-env.js';
export * from './retention.js';
export * from './slice-budget.js';
export * from './stand-in-actor.js';
export { epochStoreOn, hintSpaceOn, recordStoreOn } from './stored-records.js';
export type * from './write-observer.js';
