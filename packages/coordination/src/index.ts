/**
 * `@armature/coordination`: get and put over a quorum. The same code runs in a node, in the router tier and inside direct clients
 * (paper, section 6.4); only a node can mint, so only there does `put` start with a replica of its own.
 */
export * from './checked-address.js';
export * from './clock-watch.js';
export * from './cluster-domain.js';
export * from './coordination-metrics.js';
export * from './coordinator.js';
export * from './discovery.js';
export * from './environment.js';
export * from './forward.js';
export * from './get-core.js';
export * from './get.js';
export * from './in-hand.js';
export * from './inbox.js';
export * from './pace.js';
export * from './participant.js';
export * from './pause-watch.js';
export * from './put-quorum.js';
export * from './put.js';
export * from './quorum.js';
export * from './scan.js';
export * from './sealer.js';
export * from './turns.js';
