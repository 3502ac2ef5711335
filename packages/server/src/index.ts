/**
 * `@armature/server`: a node, a router and an anti-entropy worker put together from the engines and handed their ports. The
 * processes in `apps/` give them real ports; `startLocalCluster` gives a whole cluster in-process ones.
 */
export * from './anti-entropy-worker.js';
export * from './local-cluster.js';
export * from './node.js';
export * from './router.js';
export * from './server-options.js';
