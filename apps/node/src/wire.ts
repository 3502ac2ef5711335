/** Who gets what in a node process: the bus and the engine of the configuration's choice, into one `ArmatureNode`. */
import { join } from 'node:path';
import { ownNameOf } from '@armature/process';
import type { ServicePorts, WiredService } from '@armature/process/service';
import { ArmatureNode, type NodeOptions } from '@armature/server';
import { memoryEngine, type Engine } from '@armature/storage';
import { openLevelEngine } from '@armature/storage-level';
import { openRedisEngine } from '@armature/storage-redis';
import { nodeOptionsOf, type NodeConfig } from './config.js';

/** Throws `invalid-config`. What it returns opens the storage, and fails with the errors of that. */
export function wireNode(config: NodeConfig): (ports: ServicePorts) => Promise<WiredService> {
  const options = nodeOptionsOf(config);
  return (ports) => startNode(config, options, ports);
}

async function startNode(config: NodeConfig, options: NodeOptions, ports: ServicePorts): Promise<WiredService> {
  const engine = await openEngine(config, ports);
  let node: ArmatureNode;
  try {
    node = await ArmatureNode.start({ ...options, ...ownNameOf(ports) }, { ...ports, engine });
  } catch (thrown) {
    await engine.close();
    throw thrown;
  }
  return { readiness: () => ({ ready: node.ready, notes: node.notes }), stop: () => node.stop() };
}

function openEngine(config: NodeConfig, { fail, log }: ServicePorts): Promise<Engine> {
  const identity = { cluster: config.cluster, node: config.name };
  switch (config.storage) {
    case 'level': {
      const directory = config.data ?? join('data', config.name);
      log.info({ storage: 'level', directory }, 'opening the storage');
      return openLevelEngine({ directory, identity });
    }
    case 'redis':
      return openRedisEngine({
        url: config.redisUrl,
        prefix: `${config.prefix}:${config.cluster}:${config.name}`,
        identity,
        unsyncedServer: config.redisUnsynced,
        onLost: fail,
        log,
      });
    case 'memory':
      log.warn({ storage: 'memory' }, 'this node keeps nothing: its data is gone when it ends');
      return Promise.resolve(memoryEngine());
  }
}
