/**
 * `@armature/server`: a node, a router and an anti-entropy worker put together from the engines and handed their ports. The
 * processes in `apps/` give them real ports; `startLocalCluster` gives a whole cluster in-process ones.
 */
export { AntiEntropyWorker, type AntiEntropyOptions } from './anti-entropy-worker.js';
export { startLocalCluster, type LocalCluster, type LocalClusterOptions } from './local-cluster.js';
export { ArmatureNode } from './node.js';
export { ArmatureRouter } from './router.js';
export { SERVER_VERSION, type NodeOptions, type RouterOptions, type ServerOptions, type ServerPorts } from './server-options.js';
