/**
 * `@armature/client`: typed buckets over a cluster, coordinated here (`direct`) or by the router tier (`router`).
 */
export * from './admin.js';
export * from './bucket.js';
export type { Key } from './key.js';
export { checkUnchanged, type Committed, type CostedPlan, type PlannedAgainst } from './change-plan.js';
export * from './client.js';
export * from './codec.js';
export * from './connect.js';
export * from './entry.js';
export type * from './outline.js';
export * from './read-context.js';
export type * from './routing.js';
export { ArmatureError, type ErrorCode } from '@armature/kernel';
