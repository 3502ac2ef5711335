/** What a worker is told: the flags of `armature-anti-entropy`, and how they become a worker's options. */
import { randomBytes } from 'node:crypto';
import type { LinkAddress } from '@armature/bus';
import {
  connectionSettings,
  requireSecrets,
  secretSettings,
  serviceSettings,
  workerSettings,
  type ValuesOf,
} from '@armature/process';
import { nodeAddress } from '@armature/protocol';
import type { AntiEntropyOptions } from '@armature/server';

export const workerShape = { ...workerSettings, ...connectionSettings, ...secretSettings, ...serviceSettings };

export type WorkerConfig = ValuesOf<typeof workerShape>;

/** Workers keep nothing, so any name will do that no other has. */
const MADE_UP = `a-${randomBytes(4).toString('hex')}`;

/** The name given, or one made up, the same for as long as the process lives. */
export function workerNameOf(config: Pick<WorkerConfig, 'name'>): string {
  return config.name ?? MADE_UP;
}

/** Errors: `invalid-config` when there is no secret. */
export function workerOptionsOf(config: WorkerConfig): AntiEntropyOptions {
  return {
    name: workerNameOf(config),
    prefix: config.prefix,
    cluster: config.cluster,
    secrets: requireSecrets(config),
    seeds: config.seeds.map((node) => nodeAddress(node) as LinkAddress),
    gossipIntervalMs: config.gossipIntervalMs,
    cycleMs: config.cycle,
    reapCycleMs: config.reapCycle,
  };
}
