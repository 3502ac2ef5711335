/**
 * `@armature/testing`: whole clusters in deterministic simulation, for this project and for the authors of applications on it.
 */
export * from './check/convergence.js';
export * from './check/replica-contents.js';
export * from './cluster/later-release.js';
export * from './cluster/simulated-cluster.js';
export type { SimulatedClusterOptions } from './cluster/simulated-cluster-options.js';
export type * from './cluster/simulated-member.js';
export * from './world/disk.js';
export * from './world/process.js';
export * from './world/trace.js';
export * from './world/world.js';
export * from './merge-laws.js';
export * from './simulate-application.js';
export * from './simulate.js';
export type * from './simulation-options.js';
export * from './faults/fault.js';
export * from './faults/shrink.js';
