/**
 * `@armature/replica`: what one node does with one key. It knows its store and its actor, and nothing of rings, peers or quorums.
 */
export { ActorEpoch, formatEpochDocument, parseEpochDocument } from './actor-epoch.js';
export type { TakeSlice } from './admission-controller.js';
export { BackgroundSlices } from './background-slices.js';
export { ForegroundWatch } from './foreground-watch.js';
export { HintDelivery } from './hint-delivery.js';
export { DEFAULT_HINT_LIMIT_BYTES, HintStore, type HintSpace } from './hint-store.js';
export type { MintRequest, MintResult } from './mint-request.js';
export { pullPage } from './pull-page.js';
export type { RecordOperation, RecordStore } from './record-store.js';
export { openRecord, sealRecord } from './record.js';
export { Replica } from './replica.js';
export { retain } from './retention.js';
export { SliceBudget } from './slice-budget.js';
export { epochStoreOn, hintSpaceOn, recordStoreOn } from './stored-records.js';
export type { WriteObserver } from './write-observer.js';
