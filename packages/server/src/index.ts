/**
 * `@armature/server`: a node and a router put together from the engines and handed their ports. The processes in `apps/` give them real ports;
 * `startLocalCluster` gives a whole cluster in-process ones.
 */
export * from './local-cluster.js';
export * from './node.js';
export * from './router.js';
export * from './server-options.js';
