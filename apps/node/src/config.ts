/** What a node is told: the flags of `armature-node`, and how they become a node's options. */
import { nodeAddress } from '@armature/protocol';
import type { LinkAddress } from '@armature/bus';
import {
  connectionSettings,
  leaveMsOf,
  nodeSettings,
  requireSecrets,
  secretSettings,
  serviceSettings,
  type ValuesOf,
} from '@armature/process';
import type { NodeOptions } from '@armature/server';

export const nodeShape = { ...nodeSettings, ...connectionSettings, ...secretSettings, ...serviceSettings };

export type NodeConfig = ValuesOf<typeof nodeShape>;

const MIB = 1024 * 1024;

/** Errors: `invalid-config` when there is no secret. */
export function nodeOptionsOf(config: NodeConfig): NodeOptions {
  return {
    node: config.name,
    prefix: config.prefix,
    cluster: config.cluster,
    secrets: requireSecrets(config),
    seeds: config.seeds.map((node) => nodeAddress(node) as LinkAddress),
    gossipIntervalMs: config.gossipIntervalMs,
    cacheBytes: config.cacheMb * MIB,
    hintLimitBytes: config.hintLimitMb * MIB,
    hintMaxAgeMs: config.hintMaxAge,
    verifyCycleMs: config.verifyCycle,
    leaveMs: leaveMsOf(config),
    transfersAtOnce: config.transfersAtOnce,
    transferBytesPerSecond: config.transferRate,
    reapQuarantineMs: config.reapQuarantine,
    actorIntervalMs: config.actorInterval,
    bufferFlushMs: config.bufferFlush,
  };
}
