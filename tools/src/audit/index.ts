/**
 * The means to say of a real cluster: every acknowledged write is accounted for, all replicas are byte-equal, no dot names two
 * values.
 *
 *   const workload = startWorkload([direct, routed], { name: 'kill -9 of a node' });
 *   ... whatever is done to the cluster ...
 *   await workload.stop();
 *   await expectReplicasEqual(cluster);
 *   await expectNoDotNamesTwoValues(cluster);
 *   await workload.verify(client);          // prints: kill -9 of a node: 812 acknowledged, 0 lost, ...
 */
export * from './dots.js';
export * from './inventory.js';
export * from './large-values.js';
export * from './ledger.js';
export * from './local.js';
export * from './replicas.js';
export * from './workload.js';
